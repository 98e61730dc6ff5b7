// SPDX-License-Identifier: Apache-2.0
// The kernel's side of a FUSE connection, over a socket instead of /dev/fuse: sends requests one by
// one, checks the form of each reply, and knows which nodes it may name.
#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace lyr::fuzz {

struct FuseReply {
  int error = 0;  // an errno value
  std::string body;
};

class FuseClient {
 public:
  // Takes the end of a SOCK_SEQPACKET pair whose other end serves, and sends INIT.
  explicit FuseClient(Fd socket);

  // Aborts when the reply is malformed, or says a size that this request cannot have.
  FuseReply ask(uint32_t opcode, uint64_t node, std::string_view body);
  // Gives back `count` references, or all there are when they are fewer.
  void forget(uint64_t node, uint64_t count);

  // Of the nodes that are held, the root first; any number names one.
  uint64_t node(uint64_t number) const;
  // What an entry names and was not there before gets a reference.
  void hold(const std::string& entry);

  // All that can be seen below the root: a line for each name, without times. Aborts when what is
  // listed is not found.
  std::vector<std::string> tree();

 private:
  void send(uint32_t opcode, uint64_t node, std::string_view body);
  FuseReply receive();
  void list(uint64_t directory, const std::string& path, std::vector<std::string>& lines);

  Fd socket_;
  uint64_t unique_ = 0;
  std::map<uint64_t, uint64_t> held_;  // references by node
  std::string buffer_;
};

// A struct of the protocol, to be put into a body.
template <class T>
std::string bytes_of_struct(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace lyr::fuzz
