// SPDX-License-Identifier: Apache-2.0
// XXH3-64 of what comes in pieces: the checksum of large files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

struct XXH3_state_s;

namespace lyr::store {

class Xxh3 {
 public:
  explicit Xxh3(uint64_t seed = 0);
  void update(std::span<const std::byte> data);
  uint64_t finish() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

constexpr size_t sum_step_bytes = 1 << 20;

// Of all of `data`; `between`, if any, is called after each step: who looks through a mapping need
// not have all of it in memory.
uint64_t xxh3_in_steps(std::span<const std::byte> data, uint64_t seed,
                       const std::function<void()>& between);

}  // namespace lyr::store
