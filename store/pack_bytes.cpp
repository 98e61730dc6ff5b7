// SPDX-License-Identifier: Apache-2.0
#include "store/pack_bytes.h"

namespace lyr::store {

PackBytes::PackBytes(PackBytes&& other) noexcept
    : own_(std::exchange(other.own_, {})),
      borrowed_(std::exchange(other.borrowed_, {})),
      borrowed_bytes_(std::exchange(other.borrowed_bytes_, 0)) {}

PackBytes& PackBytes::operator=(PackBytes&& other) noexcept {
  own_ = std::exchange(other.own_, {});
  borrowed_ = std::exchange(other.borrowed_, {});
  borrowed_bytes_ = std::exchange(other.borrowed_bytes_, 0);
  return *this;
}

void PackBytes::borrow(std::span<const std::byte> data) {
  if (data.size() < borrowed_bytes_min) return copy(data);
  borrowed_.push_back({.at = own_.size(), .data = data});
  borrowed_bytes_ += data.size();
}

void PackBytes::clear() {
  own_.clear();
  borrowed_.clear();
  borrowed_bytes_ = 0;
}

std::vector<std::span<const std::byte>> PackBytes::parts() const {
  std::vector<std::span<const std::byte>> parts;
  auto own = std::span(own_);
  size_t done = 0;
  auto add_own_to = [&](size_t end) {
    if (end > done) parts.push_back(own.subspan(done, end - done));
    done = end;
  };
  for (const Borrowed& borrowed : borrowed_) {
    add_own_to(borrowed.at);
    parts.push_back(borrowed.data);
  }
  add_own_to(own.size());
  return parts;
}

}  // namespace lyr::store
