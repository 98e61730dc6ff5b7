// SPDX-License-Identifier: Apache-2.0
#include "fuzz/stored_layer.h"

#include "base/check.h"
#include "fuzz/tree_lines.h"
#include "image/apply_layer.h"

namespace lyr::fuzz {
namespace {

Result<store::ImageRecord> import_layer(store::Store& store, std::span<const std::byte> tar) {
  auto import = TRY(store.begin_import());
  auto layer = TRY(import.begin_layer());
  image::MemorySource source(tar, SIZE_MAX);
  auto totals = TRY(image::apply_layer(source, layer));
  CHECK(totals.tar_bytes == tar.size());
  const Digest diff_id = Digest::of(tar);
  store::LayerRecord record;
  record.diff_id = diff_id;
  record.tar_bytes = totals.tar_bytes;
  record.content_bytes = totals.content_bytes;
  record.entries = totals.entries;
  TRY(layer.finish(record));
  store::ImageRecord image;
  image.config_json = "{}";
  image.id = Digest::of(image.config_json);
  image.diff_ids = {diff_id};
  image.chain_id = store::chain_id_of(image.diff_ids);
  TRY(import.commit({&image, 1}, {}));
  return image;
}

std::string read_back(const store::Store& store, const store::Tree& tree, store::Ino ino,
                      const store::Extent& extent) {
  std::string data(extent.length, '\1');
  auto room = std::as_writable_bytes(std::span(data));
  auto count = store.read_file(tree, ino, extent.file_offset, room);
  CHECK(count.has_value() && *count == data.size());
  return data;
}

}  // namespace

Result<StoredLayer> through_store(store::Store& store, std::span<const std::byte> tar) {
  auto image = TRY(import_layer(store, tar));
  StoredLayer layer;
  auto tree = store.open_image_tree(image.chain_id);
  CHECK(tree.has_value());
  layer.lines = lines_of(*tree, [&](store::Ino ino, const store::Extent& extent) {
    return read_back(store, *tree, ino, extent);
  });
  auto written = store.write_layer_tar(image.diff_ids[0], [&](auto data) -> Result<> {
    layer.tar.append(reinterpret_cast<const char*>(data.data()), data.size());
    return {};
  });
  CHECK(written.has_value());
  CHECK(store.remove_image(image.id).has_value());
  return layer;
}

}  // namespace lyr::fuzz
