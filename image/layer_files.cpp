// SPDX-License-Identifier: Apache-2.0
#include "image/layer_files.h"

#include "image/tar_reader.h"

namespace lyr::image {

Result<> each_file(ByteSource& tar, const FileSink& sink) {
  TarReader reader(tar, [](std::span<const std::byte>) { return Result<>(); });
  for (;;) {
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) break;
    if (entry->stored_bytes == 0) continue;
    sink.begin(entry->stored_bytes);
    for (;;) {
      auto piece = TRY(reader.payload());
      if (piece.empty()) break;
      sink.add(piece);
    }
  }
  return reader.finish();
}

}  // namespace lyr::image
