// SPDX-License-Identifier: Apache-2.0
// Bytes that follow one another in a pack file but not in memory: what is small is copied, what is
// large stays where it is and is written from there.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace lyr::store {

constexpr size_t borrowed_bytes_min = 4096;  // below, a copy costs less than a part of a write

class PackBytes {
 public:
  PackBytes() = default;
  PackBytes(std::vector<std::byte> bytes) : own_(std::move(bytes)) {}
  PackBytes(PackBytes&& other) noexcept;
  PackBytes& operator=(PackBytes&& other) noexcept;

  size_t size() const { return own_.size() + borrowed_bytes_; }
  void copy(std::span<const std::byte> data) { own_.insert(own_.end(), data.begin(), data.end()); }
  void add_zeros(size_t bytes) { own_.resize(own_.size() + bytes); }
  // `data` stays as it is until these bytes have been written or cleared.
  void borrow(std::span<const std::byte> data);
  void clear();  // but keep the memory

  // All of it, in order; until the next change.
  std::vector<std::span<const std::byte>> parts() const;

 private:
  struct Borrowed {
    size_t at;  // how many bytes of own_ come before it
    std::span<const std::byte> data;
  };

  std::vector<std::byte> own_;
  std::vector<Borrowed> borrowed_;
  size_t borrowed_bytes_ = 0;
};

}  // namespace lyr::store
