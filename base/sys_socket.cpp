// SPDX-License-Identifier: Apache-2.0
#include "base/sys_socket.h"

#include <cstring>
#include <memory>

namespace lyr::sys {

Result<Fd> socket(int domain, int type, int protocol) {
  int number = ::socket(domain, type | SOCK_CLOEXEC, protocol);
  if (number == -1) return fail_errno("socket");
  return Fd(number);
}

Result<std::pair<Fd, Fd>> socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == -1) return fail_errno("socketpair");
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<> send_message(const Fd& socket, std::span<const std::byte> data, std::span<const int> fds) {
  if (fds.size() > message_fds_max) return fail(E2BIG, "sendmsg");
  struct iovec vector{const_cast<std::byte*>(data.data()), data.size()};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * message_fds_max)]{};
  struct msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  } while (sent == -1 && errno == EINTR);
  if (sent == -1) return fail_errno("sendmsg");
  if (static_cast<size_t>(sent) != data.size()) return fail(EIO, "sendmsg");
  return {};
}

static Result<Message> receive(const Fd& socket, size_t bytes_max, int flags) {
  // Not zeroed: a short message touches one page, however long it might have been.
  auto buffer = std::make_unique_for_overwrite<std::byte[]>(bytes_max);
  struct iovec vector{buffer.get(), bytes_max};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * message_fds_max)]{};
  struct msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC | flags);
  } while (got == -1 && errno == EINTR);
  if (got == -1) return fail_errno("recvmsg");
  Message received;
  for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
      int number = -1;
      std::memcpy(&number, reinterpret_cast<char*>(header) + at, sizeof number);
      received.fds.emplace_back(number);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return fail(EMSGSIZE, "recvmsg");
  received.data.assign(buffer.get(), buffer.get() + got);
  return received;
}

Result<Message> receive_message(const Fd& socket, size_t bytes_max) {
  return receive(socket, bytes_max, 0);
}

Result<Message> peek_message(const Fd& socket, size_t bytes_max) {
  return receive(socket, bytes_max, MSG_PEEK);
}

Result<> end_sending(const Fd& socket) {
  if (::shutdown(socket.get(), SHUT_WR) == -1) return fail_errno("shutdown");
  return {};
}

}  // namespace lyr::sys
