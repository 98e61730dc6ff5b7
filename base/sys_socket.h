// SPDX-License-Identifier: Apache-2.0
// One wrapper per socket call, as base/sys_file.h is for files.
#pragma once

#include <sys/socket.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

Result<Fd> socket(int domain, int type, int protocol);
// Two connected AF_UNIX sockets; `type`: SOCK_STREAM, SOCK_SEQPACKET, ...
Result<std::pair<Fd, Fd>> socket_pair(int type);

constexpr size_t message_fds_max = 8;  // descriptors in one message

// Sends all of `data` (not empty) as one message, with descriptors beside it. Never raises SIGPIPE.
Result<> send_message(const Fd& socket, std::span<const std::byte> data,
                      std::span<const int> fds = {});
// One message of at most `bytes_max`; empty data: the other end is closed. EMSGSIZE: it was longer.
struct Message {
  std::vector<std::byte> data;
  std::vector<Fd> fds;
};
Result<Message> receive_message(const Fd& socket, size_t bytes_max);
// The same message comes again, with copies of its descriptors.
Result<Message> peek_message(const Fd& socket, size_t bytes_max);

// Nothing more is sent: the other end reads the end of the stream (shutdown(2), SHUT_WR).
Result<> end_sending(const Fd& socket);

}  // namespace lyr::sys
