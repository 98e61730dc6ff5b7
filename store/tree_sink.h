// SPDX-License-Identifier: Apache-2.0
// A tree image's bytes on their way out, in order: the checksum is made on the way, so that an
// image of any size passes through a small buffer.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"
#include "store/spool.h"
#include "store/sum.h"
#include "store/tree_format.h"

namespace lyr::store {

class TreeSink {
 public:
  // Begins with `header`, whose checksum is put right at the end.
  static Result<TreeSink> begin(const TreeHeader& header, Spool to);

  template <class Record>
  Result<> put(const Record& record) {
    return bytes(std::as_bytes(std::span(&record, 1)));
  }
  Result<> bytes(std::span<const std::byte> data);
  // To where a table begins: `offset` is not behind us, and at most 8 bytes on.
  Result<> pad_to(uint64_t offset);
  // What `header` said must have come.
  Result<Spool> finish();

 private:
  explicit TreeSink(Spool to);
  Result<> flush();

  Xxh3 sum_;
  Spool to_;
  uint64_t promised_ = 0;
  uint64_t given_ = 0;
  size_t waiting_ = 0;
  std::unique_ptr<std::array<std::byte, 64 << 10>> buffer_;
};

}  // namespace lyr::store
