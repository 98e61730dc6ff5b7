// SPDX-License-Identifier: Apache-2.0
// Records that are only ever added, in pieces that never move: growing copies nothing, and of a
// piece the part that is not used yet takes no memory. Pieces are so large that malloc gives each
// back to the kernel when the table goes.
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

namespace lyr::store {

template <class Record>
class Table {
  static_assert(std::is_trivially_destructible_v<Record>);
  struct One {  // a record may be a pointer, whose size clang-tidy takes for a slip
    Record record;
  };

 public:
  static constexpr size_t piece_records = std::bit_ceil((1 << 20) / sizeof(One));

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Record& operator[](size_t i) { return pieces_[i / piece_records][i % piece_records]; }
  const Record& operator[](size_t i) const { return pieces_[i / piece_records][i % piece_records]; }

  void push_back(const Record& record) {
    if (size_ == pieces_.size() * piece_records) {
      pieces_.push_back(std::make_unique_for_overwrite<Record[]>(piece_records));
    }
    (*this)[size_++] = record;
  }
  size_t memory_bytes() const {  // used
    return size_ * sizeof(One) + pieces_.capacity() * sizeof(void*);
  }

 private:
  std::vector<std::unique_ptr<Record[]>> pieces_;
  size_t size_ = 0;
};

}  // namespace lyr::store
