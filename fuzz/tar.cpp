// SPDX-License-Identifier: Apache-2.0
// Any bytes give entries or an error, the same ones however the stream is cut; and what is read to
// its end comes out byte for byte.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "image/layer_name.h"
#include "image/tar_reader.h"
#include "image/tar_sparse.h"

namespace {

using namespace lyr;
using namespace lyr::image;

struct Seen {
  std::string stream;
  std::string entries;
};

void append(std::string& to, std::span<const std::byte> data) {
  to.append(reinterpret_cast<const char*>(data.data()), data.size());
}

Result<> walk(std::span<const std::byte> tar, size_t piece_bytes, Seen& seen) {
  MemorySource source(tar, piece_bytes);
  TarReader reader(source, [&](std::span<const std::byte> data) -> Result<> {
    append(seen.stream, data);
    return {};
  });
  while (true) {
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) break;
    CHECK(!entry->path.empty() && entry->path.find('\0') == std::string::npos);
    CHECK(entry->size <= file_bytes_max);
    seen.entries += entry->path + '\n' + entry->link_target + '\n' + std::to_string(entry->size);
    auto name = classify(entry->path);
    seen.entries += name ? name->path : "refused";
    uint64_t content = 0;
    while (true) {
      auto piece = TRY(reader.payload());
      if (piece.empty()) break;
      append(seen.stream, piece);
      content += piece.size();
    }
    CHECK(content == entry->stored_bytes);
    const store::LayerExtent whole{.file_offset = 0, .length = content};
    uint64_t end = 0;
    for (const auto& extent : spread(entry->segments, std::span(&whole, content > 0 ? 1 : 0))) {
      CHECK(extent.length > 0 && extent.file_offset >= end);
      end = extent.file_offset + extent.length;
      CHECK(end <= entry->size);
    }
  }
  return reader.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto tar = std::as_bytes(std::span(data, size));
  Seen whole;
  Seen cut;
  auto outcome = walk(tar, SIZE_MAX, whole);
  auto cut_outcome = walk(tar, 509, cut);
  CHECK(outcome.has_value() == cut_outcome.has_value());
  CHECK(whole.entries == cut.entries);
  if (outcome) CHECK(whole.stream.size() == size && cut.stream == whole.stream);
  return 0;
}
