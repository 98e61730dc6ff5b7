// SPDX-License-Identifier: Apache-2.0
// What a thread that serves is in the middle of, written down where the server's successor finds it
// (unionfs/ledger.h). Each kind has one field that makes it count: it is stored last, and taken
// back first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace lyr::unionfs {

// The request that the calling thread is at work on.
struct CurrentRequest {
  uint64_t unique = 0;  // the kernel's number for it, without `sent_again`
  bool again = false;   // a server that was killed may have carried it out
  unsigned thread = 0;  // of those that serve
  // Of a SETXATTR: FUSE_SETXATTR_ACL_KILL_SGID, which libfuse keeps to itself. For those of ACLs.
  bool drops_group_id = false;
};
inline thread_local CurrentRequest current_request;
// Takes from a whole request what libfuse does not pass on.
void note_more(std::span<const std::byte> request, uint32_t opcode);

// In the number of a request that the kernel sends again (FUSE_UNIQUE_RESEND, Linux 6.9).
constexpr uint64_t sent_again = uint64_t{1} << 63;

class KeptName {
 public:
  void set(std::string_view name) {
    size_ = static_cast<uint8_t>(name.size() < sizeof text_ ? name.size() : sizeof text_);
    if (size_ > 0) std::memcpy(text_, name.data(), size_);  // no name may be a null pointer
  }
  std::string_view get() const { return {text_, size_}; }

 private:
  uint8_t size_;
  char text_[255];
};

// A change of names, or one of an attribute that must not be made twice.
struct Intent {
  enum class Deed : uint32_t {
    none,
    create,     // `name` in `parent`
    link,       // `name` in `parent`, for `node`
    remove,     // `name` in `parent`, which is `node`
    rename,     // `name` in `parent`, which is `node`, to `new_name` in `new_parent`
    exchange,   // the same, with `target`
    attribute,  // made or removed: once more does no harm, but must not be an error
    done,       // the answer is `answer`
  };
  std::atomic<Deed> deed;  // makes it count
  uint64_t unique;         // of the request
  uint64_t answer;         // the node that was answered, or 0
  uint64_t node;
  uint64_t parent;
  uint64_t new_parent;
  uint64_t target;  // what is replaced; 0: nothing
  KeptName name;
  KeptName new_name;
};

// A file with several names, on its way up.
struct Copying {
  std::atomic<uint64_t> node;  // makes it count; 0: none
  uint64_t upper_ino;          // of the copy
};

// A time that is to be put back.
struct Timing {
  std::atomic<uint64_t> node;  // makes it count; 0: none
  int64_t seconds;
  int64_t nanoseconds;
};

struct Slot {
  Intent intent;
  Copying copying;
  Timing timing;
};

}  // namespace lyr::unionfs
