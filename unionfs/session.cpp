// SPDX-License-Identifier: Apache-2.0
// The union behind libfuse's low-level interface. All time-outs are without end, because the server
// is the only writer of what the kernel caches; OPEN, OPENDIR, CREATE and FLUSH are answered "not
// here" once, and never asked again. With passthrough files are opened, and attributes that may
// change without a request have no time-out.
#include "unionfs/session.h"

#include <cstdint>
#include <memory>
#include <optional>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "unionfs/loop.h"
#include "unionfs/ring.h"

namespace lyr::unionfs {
namespace {

constexpr size_t write_bytes_max = 1 << 20;
constexpr unsigned background_max = 64;
// Each under way has a buffer of its own, which is in no CPU's cache when there are many. A queue
// that has none under way gets one all the same.
constexpr unsigned ring_background_max = 2;

double attr_timeout_s(fuse_req_t request, const Found& found) {
  Served& server = served(request);
  if (!found.attr_lasts) return 0;
  if (!server.opens) return server.timeout_s;
  // A write that takes these bits away does not have the kernel ask for the mode before an exec.
  bool set_id = S_ISREG(found.attr.st_mode) && (found.attr.st_mode & (S_ISUID | S_ISGID)) != 0;
  return set_id || server.opens->may_be_mapped(found.node) ? 0 : server.timeout_s;
}

// A file without blocks is one hole, to tar. But of what the kernel has still to write we know
// nothing, and it does not ask until the file is closed: so every file has one.
struct stat attr_of(fuse_req_t request, const Found& found) {
  struct stat attr = found.attr;
  if (served(request).writeback && S_ISREG(attr.st_mode) && attr.st_blocks == 0) attr.st_blocks = 1;
  return attr;
}

}  // namespace

Served& served(void* user_data) {
  return static_cast<Served&>(*static_cast<SessionData*>(user_data));
}
Served& served(fuse_req_t request) { return served(fuse_req_userdata(request)); }

Union& of(fuse_req_t request) {
  Union::ask_for(static_cast<uint32_t>(fuse_req_ctx(request)->pid));
  return *served(request).instance;
}

Caller caller_of(fuse_req_t request) {
  const struct fuse_ctx* context = fuse_req_ctx(request);
  return {context->uid, context->gid, context->umask};
}

void forget_doubted(struct fuse_session* session) {
  for (uint64_t directory : Union::take_doubted())
    fuse_lowlevel_notify_inval_inode(session, directory, -1, 0);
}

void reply_code(fuse_req_t request, int code) {
  struct fuse_session* session = served(request).session;
  fuse_reply_err(request, code);
  forget_doubted(session);
}

void reply_error(fuse_req_t request, const Error& error) { reply_code(request, error.code); }

struct fuse_entry_param entry_of(fuse_req_t request, const Found& found) {
  struct fuse_entry_param entry{};
  entry.ino = found.node;
  entry.attr = attr_of(request, found);
  entry.attr_timeout = attr_timeout_s(request, found);
  entry.entry_timeout = served(request).timeout_s;
  return entry;
}

void op_not_here(fuse_req_t request, fuse_ino_t, struct fuse_file_info*) {
  fuse_reply_err(request, ENOSYS);
}

namespace {

void reply_done(fuse_req_t request, const Result<>& result) {
  reply_code(request, result ? 0 : result.error().code);
}

void reply_entry(fuse_req_t request, const Result<Found>& found) {
  if (!found) return reply_error(request, found.error());
  struct fuse_entry_param entry = entry_of(request, *found);
  Served& server = served(request);
  // A reply the kernel did not take (the caller was killed) leaves no reference.
  if (fuse_reply_entry(request, &entry) != 0) server.instance->forget(found->node, 1);
  forget_doubted(server.session);
}

void reply_attr(fuse_req_t request, const Result<Found>& found) {
  if (!found) return reply_error(request, found.error());
  struct stat attr = attr_of(request, *found);
  fuse_reply_attr(request, &attr, attr_timeout_s(request, *found));
}

void op_init(void* user_data, struct fuse_conn_info* connection) {
  for (uint64_t flag :
       {FUSE_CAP_ASYNC_READ, FUSE_CAP_READDIRPLUS, FUSE_CAP_WRITEBACK_CACHE,
        FUSE_CAP_PARALLEL_DIROPS, FUSE_CAP_HANDLE_KILLPRIV_V2, FUSE_CAP_CACHE_SYMLINKS,
        FUSE_CAP_NO_OPEN_SUPPORT, FUSE_CAP_NO_OPENDIR_SUPPORT}) {
    fuse_set_feature_flag(connection, flag);
  }
  for (uint64_t flag : {FUSE_CAP_READDIRPLUS_AUTO, FUSE_CAP_ATOMIC_O_TRUNC, FUSE_CAP_SPLICE_READ,
                        FUSE_CAP_SPLICE_WRITE, FUSE_CAP_SPLICE_MOVE, FUSE_CAP_POSIX_LOCKS,
                        FUSE_CAP_FLOCK_LOCKS, FUSE_CAP_AUTO_INVAL_DATA, FUSE_CAP_HANDLE_KILLPRIV}) {
    fuse_unset_feature_flag(connection, flag);
  }
  Served& server = served(user_data);
  // Before Linux 5.14 nobody looks who may set flags.
  if (connection->proto_minor < 34) server.file_flags = false;
  if (server.opens && !fuse_set_feature_flag(connection, FUSE_CAP_PASSTHROUGH))
    server.opens.reset();
  if (server.asks_for_opens()) fuse_unset_feature_flag(connection, FUSE_CAP_NO_OPEN_SUPPORT);
  if (server.opens) {
    fuse_set_feature_flag(connection, FUSE_CAP_ATOMIC_O_TRUNC);
    // The kernel allows two file systems over another: one more may be on top, or below.
    connection->max_backing_stack_depth =
        server.stacked ? FUSE_BACKING_STACKED_OVER : FUSE_BACKING_STACKED_UNDER;
  }
  if (server.acls) {
    fuse_set_feature_flag(connection, FUSE_CAP_POSIX_ACL);
    fuse_set_feature_flag(connection, FUSE_CAP_DONT_MASK);
    fuse_set_feature_flag(connection, FUSE_CAP_SETXATTR_EXT);
  } else {
    fuse_unset_feature_flag(connection, FUSE_CAP_POSIX_ACL);
    fuse_unset_feature_flag(connection, FUSE_CAP_DONT_MASK);
    fuse_unset_feature_flag(connection, FUSE_CAP_SETXATTR_EXT);
  }
  if (server.opens) server.writeback = false;
  if (!server.writeback) fuse_unset_feature_flag(connection, FUSE_CAP_WRITEBACK_CACHE);
  connection->max_write = write_bytes_max;
  connection->max_background = server.ring != nullptr ? ring_background_max : background_max;
  connection->time_gran = 1;
}

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  auto found = of(request).lookup(parent, name);
  if (!found) return reply_error(request, found.error());
  if (!*found) {
    struct fuse_entry_param absent{};  // inode 0: remember that there is nothing
    absent.entry_timeout = served(request).timeout_s;
    fuse_reply_entry(request, &absent);
    return;
  }
  reply_entry(request, **found);
}

void forget(fuse_req_t request, uint64_t node, uint64_t count) {
  Served& server = served(request);
  bool gone = server.instance->forget(node, count);
  if (gone && server.opens) server.opens->forget(node);
}

void op_forget(fuse_req_t request, fuse_ino_t node, uint64_t count) {
  forget(request, node, count);
  fuse_reply_none(request);
}

void op_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data* forgets) {
  for (size_t i = 0; i < count; ++i) forget(request, forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(request);
}

void op_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info*) {
  reply_attr(request, of(request).getattr(node));
}

void op_setattr(fuse_req_t request, fuse_ino_t node, struct stat* attr, int set,
                struct fuse_file_info* info) {
  AttributeChange change;
  if ((set & FUSE_SET_ATTR_MODE) != 0) change.mode = attr->st_mode;
  if ((set & FUSE_SET_ATTR_UID) != 0) change.uid = attr->st_uid;
  if ((set & FUSE_SET_ATTR_GID) != 0) change.gid = attr->st_gid;
  if ((set & FUSE_SET_ATTR_SIZE) != 0) change.size = static_cast<uint64_t>(attr->st_size);
  if ((set & FUSE_SET_ATTR_ATIME) != 0) change.atime = attr->st_atim;
  if ((set & FUSE_SET_ATTR_MTIME) != 0) change.mtime = attr->st_mtim;
  if ((set & FUSE_SET_ATTR_CTIME) != 0) change.changed_at = attr->st_ctim;
  if ((set & FUSE_SET_ATTR_ATIME_NOW) != 0) change.atime = {0, UTIME_NOW};
  change.drop_privileges = (set & FUSE_SET_ATTR_KILL_SUID) != 0;
  change.caller_gid = fuse_req_ctx(request)->gid;
  change.keep_time = served(request).writeback;
  change.is_open = info != nullptr;
  if ((set & FUSE_SET_ATTR_MTIME_NOW) != 0) change.mtime = {0, UTIME_NOW};
  reply_attr(request, of(request).setattr(node, change));
}

void op_readlink(fuse_req_t request, fuse_ino_t node) {
  auto target = of(request).readlink(node);
  if (!target) return reply_error(request, target.error());
  fuse_reply_readlink(request, target->c_str());
}

void op_mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  reply_entry(request, of(request).mknod(parent, name, mode, device, caller_of(request)));
}

void op_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  reply_entry(request, of(request).mkdir(parent, name, mode, caller_of(request)));
}

void op_symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  reply_entry(request, of(request).symlink(parent, name, target, caller_of(request)));
}

void op_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t parent, const char* name) {
  reply_entry(request, of(request).link(node, parent, name));
}

void op_unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  reply_done(request, of(request).unlink(parent, name));
}

void op_rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  reply_done(request, of(request).rmdir(parent, name));
}

void op_rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) {
  reply_done(request, of(request).rename(parent, name, new_parent, new_name, flags));
}

void op_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
             struct fuse_file_info*) {
  auto data = room_for_answer(size);
  auto got = of(request).read(node, static_cast<uint64_t>(offset), data);
  if (!got) return reply_error(request, got.error());
  fuse_reply_buf(request, reinterpret_cast<const char*>(data.data()), *got);
}

void op_write(fuse_req_t request, fuse_ino_t node, const char* bytes, size_t size, off_t offset,
              struct fuse_file_info* info) {
  auto data = std::as_bytes(std::span(bytes, size));
  Union::ContentFlags flags{.drop_privileges = info->kill_suidgid != 0,
                            .caller_gid = fuse_req_ctx(request)->gid,
                            .keep_time = info->writepage != 0 && served(request).writeback};
  auto written = of(request).write(node, static_cast<uint64_t>(offset), data, flags);
  if (!written) return reply_error(request, written.error());
  // Before who wrote can have it executed: the kernel does not ask for a mode after a write.
  forget_doubted(served(request).session);
  fuse_reply_write(request, *written);
}

void op_fsync(fuse_req_t request, fuse_ino_t node, int data_only, struct fuse_file_info*) {
  reply_done(request, of(request).fsync(node, data_only != 0));
}

void op_statfs(fuse_req_t request, fuse_ino_t) {
  auto status = of(request).statfs();
  if (!status) return reply_error(request, status.error());
  fuse_reply_statfs(request, &*status);
}

void op_getxattr(fuse_req_t request, fuse_ino_t node, const char* name, size_t size) {
  auto value = of(request).get_xattr(node, name);
  if (!value) return reply_error(request, value.error());
  reply_bytes(request, size, *value);
}

void op_listxattr(fuse_req_t request, fuse_ino_t node, size_t size) {
  auto names = of(request).list_xattrs(node);
  if (!names) return reply_error(request, names.error());
  std::string list;
  // What only root may read he alone is told of.
  bool root = fuse_req_ctx(request)->uid == 0;
  for (const std::string& name : *names) {
    if (root || !name.starts_with("trusted.")) list.append(name.c_str(), name.size() + 1);
  }
  reply_bytes(request, size, list);
}

void op_setxattr(fuse_req_t request, fuse_ino_t node, const char* name, const char* value,
                 size_t size, int flags) {
  bool drops = current_request.drops_group_id;
  reply_done(request, of(request).set_xattr(node, name, {value, size}, flags, drops));
}

void op_removexattr(fuse_req_t request, fuse_ino_t node, const char* name) {
  reply_done(request, of(request).remove_xattr(node, name));
}

// Of these two the kernel does not say whether set-id bits are to go: whoever is not root loses
// them, as he has no CAP_FSETID.
Union::ContentFlags flags_of(fuse_req_t request) {
  return {.drop_privileges = fuse_req_ctx(request)->uid != 0,
          .caller_gid = fuse_req_ctx(request)->gid,
          .keep_time = served(request).writeback};
}

void op_fallocate(fuse_req_t request, fuse_ino_t node, int mode, off_t offset, off_t length,
                  struct fuse_file_info*) {
  auto done = of(request).fallocate(node, mode, static_cast<uint64_t>(offset),
                                    static_cast<uint64_t>(length), flags_of(request));
  forget_doubted(served(request).session);  // as in op_write
  reply_done(request, done);
}

void op_lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence,
              struct fuse_file_info*) {
  served(request).seeker->answer(request, node, static_cast<uint64_t>(offset), whence);
}

void op_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                        struct fuse_file_info*, fuse_ino_t to, off_t to_offset,
                        struct fuse_file_info*, size_t length, int) {
  auto copied =
      of(request).copy_range({from, static_cast<uint64_t>(from_offset)},
                             {to, static_cast<uint64_t>(to_offset)}, length, flags_of(request));
  if (!copied) return reply_error(request, copied.error());
  forget_doubted(served(request).session);
  fuse_reply_write(request, *copied);
}

void list(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, bool attributes) {
  char* buffer = reinterpret_cast<char*>(room_for_answer(size).data());
  size_t used = 0;
  auto each = [&](const Union::Entry& entry) {
    std::string name(entry.name);
    auto next = static_cast<off_t>(entry.cookie);
    size_t room = size - used;
    size_t needed = 0;
    if (attributes) {
      struct fuse_entry_param full = entry_of(request, entry.found);
      needed = fuse_add_direntry_plus(request, buffer + used, room, name.c_str(), &full, next);
    } else {
      needed =
          fuse_add_direntry(request, buffer + used, room, name.c_str(), &entry.found.attr, next);
    }
    if (needed > room) return false;
    used += needed;
    return true;
  };
  auto listed = of(request).readdir(node, static_cast<uint64_t>(offset), attributes, each);
  if (!listed && used == 0) return reply_error(request, listed.error());
  fuse_reply_buf(request, buffer, used);
}

void op_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                struct fuse_file_info*) {
  list(request, node, size, offset, false);
}

void op_readdirplus(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info*) {
  list(request, node, size, offset, true);
}

// What is left out is answered ENOSYS, and not asked again.
struct fuse_lowlevel_ops operations(const Options& options) {
  struct fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.readlink = op_readlink;
  ops.mknod = op_mknod;
  ops.mkdir = op_mkdir;
  ops.symlink = op_symlink;
  ops.link = op_link;
  ops.unlink = op_unlink;
  ops.rmdir = op_rmdir;
  ops.rename = op_rename;
  ops.open = op_open;
  ops.release = op_release;
  ops.opendir = op_not_here;
  ops.flush = op_not_here;
  ops.create = op_create;
  ops.tmpfile = op_tmpfile;
  ops.read = op_read;
  ops.write = op_write;
  if (options.sync) ops.fsync = ops.fsyncdir = op_fsync;
  ops.statfs = op_statfs;
  if (options.xattrs) {
    ops.getxattr = op_getxattr;
    ops.setxattr = op_setxattr;
    ops.listxattr = op_listxattr;
    ops.removexattr = op_removexattr;
  }
  ops.fallocate = op_fallocate;
  ops.lseek = op_lseek;
  ops.copy_file_range = op_copy_file_range;
  if (options.file_flags) ops.ioctl = op_ioctl;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  return ops;
}

}  // namespace

Result<> serve(Fd fuse_device, Options options) {
  int threads = options.threads;
  bool passthrough = options.passthrough;
  bool spare_cpu = options.spare_cpu;
  RequestCounts* counts = options.counts;
  Ledger* ledger = options.ledger;
  if (options.io_uring) {
    if (ledger != nullptr && ledger->resumed()) return fail(ENOTRECOVERABLE, "FUSE over io_uring");
    options.ledger = ledger = nullptr;
  }
  bool by_ring = options.io_uring;
  Askers askers = std::move(options.askers);
  auto ready = std::move(options.ready);
  sys::set_umask(0);  // the kernel has applied the caller's
  Served state;
  state.timeout_s = options.timeout_s;
  state.writeback = options.writeback;
  state.file_flags = options.file_flags;
  state.privileged = options.privileged;
  std::optional<Ledger> own;
  if (options.passthrough && ledger == nullptr) own.emplace(TRY(Ledger::make()));
  if (options.passthrough) state.stacked = TRY(is_stacked(options.upper));
  struct fuse_lowlevel_ops ops = operations(options);
  FuseSession::Settings settings{.user_data = static_cast<SessionData*>(&state),
                                 .debug = options.debug};
  state.instance = TRY(Union::open(std::move(options)));
  state.acls = state.instance->acls();
  std::unique_ptr<Ring> ring;
  if (by_ring) {
    Fd device = TRY(sys::dup(fuse_device));
    ring = TRY(Ring::make(std::move(device)));
  }
  state.ring = ring.get();
  settings.by_ring = by_ring;
  auto session = TRY(FuseSession::open(std::move(fuse_device), ops, settings));
  state.session = session.get();
  if (passthrough) state.opens.emplace(session.device(), own ? *own : *ledger);
  state.seeker.emplace(session.get(), *state.instance, by_ring ? Ring::late_answers_max : SIZE_MAX);
  if (ready) ready();
  auto ended = loop(session.get(), {.device = session.device(),
                                    .threads = threads,
                                    .counts = counts,
                                    .ledger = ledger,
                                    .askers = askers,
                                    .ring = ring.get(),
                                    .spare_cpu = spare_cpu});
  if (ring) ring->stop();  // its threads ask the seeker, which answers by it
  state.seeker.reset();
  return ended;
}

}  // namespace lyr::unionfs
