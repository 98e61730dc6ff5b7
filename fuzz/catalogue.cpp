// SPDX-License-Identifier: Apache-2.0
// Any bytes are a catalogue record or are refused; what is taken is written as the same bytes
// again, and no part or prolongation of it is taken, too. What is written is taken.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "store/catalog_record.h"

namespace {

using namespace lyr;
using namespace lyr::store;

template <class Decode>
void check_whole(std::string_view bytes, Decode decode) {
  auto record = decode(bytes);
  if (!record) return;
  CHECK(encode(*record) == bytes);
  CHECK(!decode(bytes.substr(0, bytes.size() - 1)) && !decode(bytes.substr(0, bytes.size() / 2)));
  CHECK(!decode(std::string(bytes) + '\0'));
}

// Records out of any bytes, a piece for each field.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  uint64_t number() {
    uint64_t value = 0;
    std::string_view raw = take(sizeof value);
    if (!raw.empty()) std::memcpy(&value, raw.data(), raw.size());
    return value;
  }
  std::string text() { return std::string(take(number() % 300)); }
  Digest digest() {
    Digest value;
    std::ranges::copy(take(value.bytes.size()), value.bytes.begin());
    return value;
  }

 private:
  std::string_view take(size_t count) {
    std::string_view piece = rest_.substr(0, count);
    rest_.remove_prefix(piece.size());
    return piece;
  }
  std::string_view rest_;
};

void check_written(std::string_view bytes) {
  Fields fields(bytes);
  ImageRecord image;
  image.created_unix = static_cast<int64_t>(fields.number());
  image.content_bytes = fields.number();
  for (uint64_t i = fields.number() % 5; i > 0; --i) image.diff_ids.push_back(fields.digest());
  image.config_json = fields.text();
  image.manifest_json = fields.text();
  image.id = fields.digest();
  auto image_again = decode_image(encode(image));
  CHECK(image_again.has_value() && image_again->diff_ids == image.diff_ids);
  CHECK(image_again->config_json == image.config_json && image_again->id == image.id);
  CHECK(image_again->manifest_json == image.manifest_json);
  CHECK(image_again->created_unix == image.created_unix);
  LayerRecord layer;
  layer.entries = static_cast<uint32_t>(fields.number());
  layer.blob_media_type = fields.text();
  layer.blob_kept = fields.number() % 2 == 1;
  layer.diff_id = fields.digest();
  auto layer_again = decode_layer(encode(layer));
  CHECK(layer_again.has_value() && layer_again->entries == layer.entries);
  CHECK(layer_again->blob_media_type == layer.blob_media_type);
  CHECK(layer_again->diff_id == layer.diff_id && layer_again->blob_kept == layer.blob_kept);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_whole(bytes, decode_image);
  check_whole(bytes, decode_layer);
  check_whole(bytes, decode_pack);
  check_whole(bytes, decode_dropped);
  check_written(bytes);
  return 0;
}
