// SPDX-License-Identifier: Apache-2.0
#include "unionfs/fuse_session.h"

#include <array>
#include <string>

#include "base/sys_file.h"

namespace lyr::unionfs {

void FuseSession::Free::operator()(struct fuse_session* session) const {
  fuse_session_unmount(session);
  fuse_session_destroy(session);
}

Result<FuseSession> FuseSession::open(Fd connection, const struct fuse_lowlevel_ops& operations,
                                      const Settings& settings) {
  std::array<char*, 2> arguments{const_cast<char*>("lyr"), const_cast<char*>("-d")};
  struct fuse_args args = FUSE_ARGS_INIT(settings.debug ? 2 : 1, arguments.data());
  std::unique_ptr<struct fuse_session, Free> session(
      fuse_session_new(&args, &operations, sizeof operations, settings.user_data));
  fuse_opt_free_args(&args);  // libfuse has made copies of its own
  if (session == nullptr) return fail(EIO, "fuse_session_new");
  Fd device = TRY(sys::dup(connection));
  // It is mounted already: libfuse takes over the descriptor by this name, and closes it.
  std::string mountpoint = "/dev/fd/" + std::to_string(connection.release());
  if (fuse_session_mount(session.get(), mountpoint.c_str()) != 0)
    return fail(EIO, "fuse_session_mount");
  return FuseSession(std::move(session), std::move(device));
}

Result<> store_pages(const FuseSession& session, uint64_t node, std::span<std::byte> content) {
  struct fuse_bufvec pages{};
  pages.count = 1;
  pages.buf[0].size = content.size();
  pages.buf[0].mem = content.data();
  int result = fuse_lowlevel_notify_store(session.get(), node, 0, &pages,
                                          static_cast<fuse_buf_copy_flags>(0));
  return result == 0 ? Result<>() : fail(-result, "FUSE_NOTIFY_STORE");
}

void reply_bytes(fuse_req_t request, size_t size, std::string_view bytes) {
  if (size == 0) {
    fuse_reply_xattr(request, bytes.size());
  } else if (bytes.size() > size) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, bytes.data(), bytes.size());
  }
}

}  // namespace lyr::unionfs
