// SPDX-License-Identifier: Apache-2.0
#include "store/sum.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace lyr::store {

void Xxh3::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Xxh3::Xxh3(uint64_t seed) : state_(XXH3_createState()) {
  CHECK(state_ != nullptr);
  XXH3_64bits_reset_withSeed(state_.get(), seed);
}

void Xxh3::update(std::span<const std::byte> data) {
  XXH3_64bits_update(state_.get(), data.data(), data.size());
}

uint64_t Xxh3::finish() const { return XXH3_64bits_digest(state_.get()); }

uint64_t xxh3_in_steps(std::span<const std::byte> data, uint64_t seed,
                       const std::function<void()>& between) {
  if (!between) return XXH3_64bits_withSeed(data.data(), data.size(), seed);
  Xxh3 sum(seed);
  while (!data.empty()) {
    auto step = data.first(std::min(data.size(), sum_step_bytes));
    sum.update(step);
    data = data.subspan(step.size());
    between();
  }
  return sum.finish();
}

}  // namespace lyr::store
