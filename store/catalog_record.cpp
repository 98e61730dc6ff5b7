// SPDX-License-Identifier: Apache-2.0
#include "store/catalog_record.h"

#include <algorithm>
#include <cstring>

namespace lyr::store {
namespace {

constexpr uint8_t record_version = 1;
// A layer's record has one number more when its blob is kept. Others stay as an older lyr reads
// them.
constexpr uint8_t layer_blob_version = 2;
constexpr uint64_t blob_is_kept = 1;
constexpr size_t layers_max = 4096;

class Writer {
 public:
  explicit Writer(uint8_t version = record_version) {
    bytes_.push_back(static_cast<char>(version));
  }
  void number(uint64_t value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
  }
  void digest(const Digest& value) {
    bytes_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads past the end give zeros and make end() fail.
class Reader {
 public:
  explicit Reader(std::string_view bytes, uint8_t version_max = record_version) : rest_(bytes) {
    if (rest_.empty()) return;
    version_ = static_cast<uint8_t>(rest_.front());
    good_ = version_ >= record_version && version_ <= version_max;
    rest_.remove_prefix(1);
  }
  uint8_t version() const { return version_; }
  uint64_t number() {
    uint64_t value = 0;
    std::string_view raw = take(sizeof value);
    if (good_) std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number())); }
  Digest digest() {
    Digest value;
    std::string_view raw = take(value.bytes.size());
    if (good_) std::memcpy(value.bytes.data(), raw.data(), raw.size());
    return value;
  }
  bool good() const { return good_; }
  bool end() const { return good_ && rest_.empty(); }

 private:
  std::string_view take(uint64_t size) {
    if (!good_ || size > rest_.size()) {
      good_ = false;
      return {};
    }
    std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }

  std::string_view rest_;
  uint8_t version_ = 0;
  bool good_ = false;
};

}  // namespace

std::string encode(const ImageRecord& record) {
  Writer writer;
  writer.digest(record.id);
  writer.digest(record.chain_id);
  writer.number(record.diff_ids.size());
  for (const Digest& diff_id : record.diff_ids) writer.digest(diff_id);
  writer.text(record.config_json);
  writer.text(record.manifest_json);
  writer.number(static_cast<uint64_t>(record.created_unix));
  writer.number(record.content_bytes);
  return writer.take();
}

Result<ImageRecord> decode_image(std::string_view bytes) {
  Reader reader(bytes);
  ImageRecord record;
  record.id = reader.digest();
  record.chain_id = reader.digest();
  uint64_t layers = reader.number();
  if (layers > layers_max) return fail(EUCLEAN, "image record");
  for (uint64_t i = 0; i < layers && reader.good(); ++i) record.diff_ids.push_back(reader.digest());
  record.config_json = reader.text();
  record.manifest_json = reader.text();
  record.created_unix = static_cast<int64_t>(reader.number());
  record.content_bytes = reader.number();
  if (!reader.end()) return fail(EUCLEAN, "image record");
  return record;
}

std::string encode(const LayerRecord& record) {
  Writer writer(record.blob_kept ? layer_blob_version : record_version);
  writer.digest(record.diff_id);
  writer.number(record.tar_bytes);
  writer.number(record.content_bytes);
  writer.number(record.entries);
  writer.digest(record.blob_digest);
  writer.number(record.blob_bytes);
  writer.text(record.blob_media_type);
  if (record.blob_kept) writer.number(blob_is_kept);
  return writer.take();
}

Result<LayerRecord> decode_layer(std::string_view bytes) {
  Reader reader(bytes, layer_blob_version);
  LayerRecord record;
  record.diff_id = reader.digest();
  record.tar_bytes = reader.number();
  record.content_bytes = reader.number();
  uint64_t entries = reader.number();
  if (entries > UINT32_MAX) return fail(EUCLEAN, "layer record");
  record.entries = static_cast<uint32_t>(entries);
  record.blob_digest = reader.digest();
  record.blob_bytes = reader.number();
  record.blob_media_type = reader.text();
  record.blob_kept = reader.version() == layer_blob_version;
  if (record.blob_kept && reader.number() != blob_is_kept) return fail(EUCLEAN, "layer record");
  if (!reader.end()) return fail(EUCLEAN, "layer record");
  return record;
}

std::string encode(const PackRecord& record) {
  Writer writer;
  writer.number(record.number);
  writer.number(record.bytes);
  writer.number(record.sequence);
  return writer.take();
}

std::string encode(const DroppedFrames& record) {
  Writer writer;
  writer.number(record.pack);
  const auto* raw = reinterpret_cast<const char*>(record.frames.data());
  writer.text({raw, record.frames.size() * sizeof record.frames.front()});
  return writer.take();
}

Result<DroppedFrames> decode_dropped(std::string_view bytes) {
  Reader reader(bytes);
  DroppedFrames record;
  record.pack = reader.number();
  std::string raw = reader.text();
  constexpr size_t each = sizeof record.frames.front();
  if (!reader.end() || raw.size() % each != 0) return fail(EUCLEAN, "dropped frames");
  record.frames.resize(raw.size() / each);
  if (!raw.empty()) std::memcpy(record.frames.data(), raw.data(), raw.size());
  if (!std::ranges::is_sorted(record.frames)) return fail(EUCLEAN, "dropped frames");
  return record;
}

Result<PackRecord> decode_pack(std::string_view bytes) {
  Reader reader(bytes);
  PackRecord record;
  record.number = reader.number();
  record.bytes = reader.number();
  record.sequence = reader.number();
  if (!reader.end()) return fail(EUCLEAN, "pack record");
  return record;
}

}  // namespace lyr::store
