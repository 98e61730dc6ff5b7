// SPDX-License-Identifier: Apache-2.0
// Runs something in a child that stops at each of its system calls on files, so that a test can
// watch them, make one fail, or kill the child there. All threads are stopped; calls that are
// watched happen one after the other.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lyr::store {

// One call of one thread of the child, which stands still meanwhile.
struct TracedCall {
  pid_t thread = 0;
  uint64_t number = 0;  // SYS_*
  std::array<uint64_t, 6> arguments{};

  int descriptor(size_t argument) const { return static_cast<int>(arguments[argument]); }
  // What a descriptor of the child is, as /proc says: of an unnamed file "/store/#123 (deleted)".
  std::string path_of(int fd) const;
  // What `path` of the child's memory, relative to `dir`, is; symlinks are not followed.
  std::string path_at(int dir, uint64_t path) const;
  std::string text(uint64_t address) const;
  std::string memory(uint64_t address, size_t bytes) const;
  // What it works on, most often one file; of a rename and a link the new name comes last.
  std::vector<std::string> paths() const;
  // "pwrite64 /store/catalog.mdb"
  std::string description() const;
};

struct Decision {
  enum class Kind {
    let,      // goes on
    watch,    // goes on, and what comes of it is told
    refuse,   // is not done, and fails
    pretend,  // is done, and seems to have failed
    halve,    // a write: only the first half of it is done
    kill,     // is not done: the whole child ends here
  };
  Kind kind = Kind::let;
  int code = 0;  // errno
};

struct Tracer {
  std::function<Decision(const TracedCall&)> before;
  // Of calls that are watched: what they returned, or -errno.
  std::function<void(const TracedCall&, int64_t result)> after = nullptr;
};

struct Traced {
  bool killed = false;  // by a decision
  int status = 0;       // of waitpid(2), unless killed
};

// Whether the call may change a file or keep others from it.
bool changes_something(const TracedCall& call);

Traced run_traced(const std::function<int()>& body, const Tracer& tracer);

}  // namespace lyr::store
