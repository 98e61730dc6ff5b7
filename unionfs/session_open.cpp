// SPDX-License-Identifier: Apache-2.0
// What is opened and closed. The kernel is told once that there is no OPEN, but where what is open
// counts: with passthrough, and with file flags.
#include <fcntl.h>

#include "unionfs/loop.h"
#include "unionfs/session.h"

namespace lyr::unionfs {
namespace {

bool for_writing(const struct fuse_file_info& info) { return (info.flags & O_ACCMODE) != O_RDONLY; }
Opening opening_of(const struct fuse_file_info& info) {
  return {.to_write = for_writing(info), .appends = (info.flags & O_APPEND) != 0};
}
bool for_reading_and_writing(const struct fuse_file_info& info) {
  return (info.flags & O_ACCMODE) == O_RDWR;
}

Opens::Use use_of(const struct fuse_file_info& info) {
  constexpr int executes = 0x20;  // the kernel's FMODE_EXEC, which it passes on
  return {.maps = for_reading_and_writing(info), .executes = (info.flags & executes) != 0};
}

// Notes that it is opened, and says how.
Result<> note_open(Served& server, uint64_t node, struct fuse_file_info& info) {
  auto file = TRY(server.instance->opened(node, opening_of(info)));
  Opens::Way way = server.opens->open(node, file, use_of(info));
  info.backing_id = way.backing;
  info.keep_cache = way.keep_pages ? 1 : 0;
  return {};
}

// What was made is open, too.
void reply_created(fuse_req_t request, const Result<Found>& found, struct fuse_file_info* info) {
  if (!found) return reply_error(request, found.error());
  Served& server = served(request);
  // This lasts, see Opens::may_be_mapped: a mapping has nothing to change before the file has a
  // size, which the kernel asks for anew.
  struct fuse_entry_param entry = entry_of(request, *found);
  info->keep_cache = 1;
  if (server.opens) {
    auto noted = note_open(server, found->node, *info);
    if (!noted) {
      server.instance->forget(found->node, 1);
      return reply_error(request, noted.error());
    }
  }
  if (fuse_reply_create(request, &entry, info) != 0) {
    if (server.opens) server.opens->close(found->node, use_of(*info));
    server.instance->forget(found->node, 1);
  }
  forget_doubted(server.session);
}

}  // namespace

void op_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info* info) {
  Served& server = served(request);
  if (!server.asks_for_opens()) return op_not_here(request, node, info);
  Union& instance = of(request);
  if (!server.opens) {
    auto may = instance.may_open(node, opening_of(*info));
    if (!may) return reply_error(request, may.error());
    info->keep_cache = 1;
    fuse_reply_open(request, info);
    return;
  }
  if ((info->flags & O_TRUNC) != 0) {
    // The kernel looks whether it is executed when we have answered, if it is not to be written to.
    if (!for_writing(*info) && server.opens->is_executed(node)) return reply_code(request, ETXTBSY);
    auto emptied = instance.setattr(node, {.size = 0,
                                           .drop_privileges = info->kill_suidgid != 0,
                                           .caller_gid = fuse_req_ctx(request)->gid});
    if (!emptied) return reply_error(request, emptied.error());
  }
  auto noted = note_open(server, node, *info);
  if (!noted) return reply_error(request, noted.error());
  // What the kernel knows of it lasts no longer.
  if (for_reading_and_writing(*info)) fuse_lowlevel_notify_inval_inode(server.session, node, -1, 0);
  if (fuse_reply_open(request, info) != 0) server.opens->close(node, use_of(*info));
}

void op_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info* info) {
  Served& server = served(request);
  // One that comes again may have been noted: better a file too many than one too few.
  if (server.opens && !current_request.again) server.opens->close(node, use_of(*info));
  fuse_reply_err(request, 0);
}

void op_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               struct fuse_file_info* info) {
  // Without: MKNOD does, without an OPEN and a RELEASE.
  if (!served(request).opens) return op_not_here(request, parent, info);
  auto made = of(request).mknod(parent, name, S_IFREG | (mode & 07777), 0, caller_of(request));
  reply_created(request, made, info);
}

void op_tmpfile(fuse_req_t request, fuse_ino_t parent, mode_t mode, struct fuse_file_info* info) {
  reply_created(request, of(request).tmpfile(parent, mode, caller_of(request)), info);
}

}  // namespace lyr::unionfs
