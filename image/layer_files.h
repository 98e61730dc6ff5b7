// SPDX-License-Identifier: Apache-2.0
// The content of a layer's files and nothing else, for those who study it.
#pragma once

#include <functional>

#include "base/result.h"
#include "image/byte_stream.h"

namespace lyr::image {

struct FileSink {
  std::function<void(uint64_t bytes)> begin;  // bytes > 0
  std::function<void(std::span<const std::byte>)> add;
};

// Reads `tar` to its end. What is content is decided as an import decides it (apply_layer.h): each
// entry's stored bytes, whatever it is called; of a sparse file what the tar has of it. EBADMSG
// names the entry.
Result<> each_file(ByteSource& tar, const FileSink& sink);

}  // namespace lyr::image
