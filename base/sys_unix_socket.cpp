// SPDX-License-Identifier: Apache-2.0
#include "base/sys_unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>

#include "base/sys_event.h"

namespace lyr::sys {
namespace {

constexpr int backlog = 64;

// sun_path has 108 bytes, a state directory may be deeper: the way leads through /proc/self/fd.
Result<struct sockaddr_un> address_of(const Fd& dir, const char* name) {
  struct sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int length = std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s",
                             dir.get(), name);
  if (length < 0 || static_cast<size_t>(length) >= sizeof address.sun_path) {
    return fail(ENAMETOOLONG, "socket", name);
  }
  return address;
}

Result<Fd> unix_socket(int flags) {
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd == -1) return fail_errno("socket");
  return Fd(fd);
}

}  // namespace

Result<Fd> listen_unix(const Fd& dir, const char* name) {
  auto address = TRY(address_of(dir, name));
  Fd socket = TRY(unix_socket(SOCK_NONBLOCK));
  if (::unlinkat(dir.get(), name, 0) == -1 && errno != ENOENT) return fail_errno("unlink");
  mode_t before = ::umask(0177);
  int bound = ::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address);
  int code = errno;
  ::umask(before);
  if (bound == -1) return fail(code, "bind", name);
  if (::listen(socket.get(), backlog) == -1) return fail_errno("listen");
  return socket;
}

Result<Fd> connect_unix(const Fd& dir, const char* name, bool wait) {
  auto address = TRY(address_of(dir, name));
  Fd socket = TRY(unix_socket(wait ? 0 : SOCK_NONBLOCK));
  if (::connect(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) == -1) {
    return fail(errno, "connect", name);
  }
  if (!wait) TRY(set_nonblocking(socket, false));
  return socket;
}

Result<Fd> accept_unix(const Fd& listener) {
  int fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd == -1) return fail_errno("accept");
  return Fd(fd);
}

Result<uid_t> peer_uid(const Fd& socket) {
  struct ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == -1) {
    return fail_errno("SO_PEERCRED");
  }
  return peer.uid;
}

}  // namespace lyr::sys
