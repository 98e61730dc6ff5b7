// SPDX-License-Identifier: Apache-2.0
#include "unionfs/fuse_session.h"

#include <array>
#include <cerrno>
#include <string>

#include "base/sys_file.h"
#include "unionfs/ring.h"

namespace lyr::unionfs {

namespace {

ssize_t write_by_ring(int, struct iovec* parts, int count, void* user_data) {
  auto* data = static_cast<SessionData*>(user_data);
  return data->ring->write({parts, static_cast<size_t>(count)});
}

// As libfuse does without custom calls.
ssize_t read_device(int device, void* to, size_t size, void*) {
  Fd borrowed(device);
  auto got = sys::read(borrowed, {static_cast<std::byte*>(to), size});
  borrowed.release();
  if (!got) errno = got.error().code;
  return got ? static_cast<ssize_t>(*got) : -1;
}

}  // namespace

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
  if (settings.by_ring) {
    struct fuse_custom_io calls{};
    calls.writev = write_by_ring;
    calls.read = read_device;
    int taken = fuse_session_custom_io(session.get(), &calls, sizeof calls, connection.get());
    if (taken != 0) return fail(-taken, "fuse_session_custom_io");
    connection.release();
    return FuseSession(std::move(session), std::move(device));
  }
  // It is mounted already: libfuse takes over the descriptor by this name, and closes it.
  std::string mountpoint = "/dev/fd/" + std::to_string(connection.release());
  if (fuse_session_mount(session.get(), mountpoint.c_str()) != 0)
    return fail(EIO, "fuse_session_mount");
  return FuseSession(std::move(session), std::move(device));
}

bool FuseSession::can_be_by_ring() {
  std::array<char*, 1> arguments{const_cast<char*>("lyr")};
  struct fuse_args args = FUSE_ARGS_INIT(1, arguments.data());
  struct fuse_lowlevel_ops operations{};
  struct fuse_session* session = fuse_session_new(&args, &operations, sizeof operations, nullptr);
  fuse_opt_free_args(&args);
  if (session == nullptr) return false;
  struct fuse_custom_io calls{};
  calls.writev = write_by_ring;
  calls.read = read_device;
  auto nothing = sys::open("/dev/null", O_RDWR);
  int number = nothing ? nothing->release() : -1;  // the session closes it
  bool can = fuse_session_custom_io(session, &calls, sizeof calls, number) == 0;
  fuse_session_destroy(session);
  return can;
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

std::span<std::byte> room_for_answer(size_t bytes) {
  auto of_ring = Ring::room();
  if (bytes <= of_ring.size()) return of_ring.first(bytes);
  thread_local std::unique_ptr<std::byte[]> buffer;
  thread_local size_t size = 0;
  if (size < bytes) {
    buffer = std::make_unique_for_overwrite<std::byte[]>(bytes);
    size = bytes;
  }
  return {buffer.get(), bytes};
}

}  // namespace lyr::unionfs
