// SPDX-License-Identifier: Apache-2.0
// Bytes that become a file, or are wanted back soon: in memory while they are few, in an unnamed
// file once they are more. What an import makes of a layer grows with its number of files; the
// memory that it takes must not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/sys_file.h"

namespace lyr::store {

constexpr size_t spool_memory_bytes = 1 << 20;  // more go to the file
constexpr size_t spool_step_bytes = 256 << 10;  // that wait, once there is a file

// Not thread-safe.
class Spool {
 public:
  Spool() = default;  // without a file, whatever it holds: for small things, and tests
  // `directory` outlives it.
  explicit Spool(const Fd& directory) : directory_(&directory) {}

  uint64_t bytes() const { return in_file_ + waiting_.size(); }
  Result<> append(std::span<const std::byte> data);
  // Of bytes that are there already:
  Result<> patch(uint64_t at, std::span<const std::byte> data);
  Result<> read(uint64_t at, std::span<std::byte> data) const;

  // All of them: borrowed, or mapped; nothing may be appended meanwhile. What was looked at of a
  // mapping leaves the memory with mapping.release().
  struct View {
    std::span<const std::byte> bytes;
    sys::Mapping mapping;
  };
  Result<View> view();
  // Gives them a name in `directory` (that of the constructor, or on its file system), durable but
  // for the directory's fsync, in the place of a file that has it. Nothing may be appended after.
  Result<> publish(const Fd& directory, const std::string& name);
  // Starts what publish() will wait for.
  Result<> start_writeback();
  // Of one that never had so many that it needed a file.
  std::span<const std::byte> in_memory() const;
  size_t memory_bytes() const { return waiting_.capacity(); }

 private:
  Result<> flush();

  const Fd* directory_ = nullptr;
  std::optional<Fd> file_;
  uint64_t in_file_ = 0;
  std::vector<std::byte> waiting_;  // what follows in_file_
};

}  // namespace lyr::store
