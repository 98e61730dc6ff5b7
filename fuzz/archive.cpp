// SPDX-License-Identifier: Apache-2.0
// A whole image archive (docker save's or an OCI layout in a tar) is loaded, or refused with the
// store as it was. What is loaded can be saved in both forms, which load as the same images, and
// each layer comes back byte for byte. The archive is loaded as it is, and once more with its
// digests, sizes and file names put right, so that mutations get past them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "fuzz/archive_repair.h"
#include "fuzz/scratch_store.h"
#include "fuzz/tar_blocks.h"
#include "image/load.h"
#include "image/save.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr size_t saved_bytes_max = 8 << 20;

// What the store shows: images by id with their documents, and the tags.
std::map<std::string, std::string> shown(const store::Store& store) {
  std::map<std::string, std::string> all;
  auto images = store.images();
  CHECK(images.has_value());
  for (const store::ImageRecord& image : *images) {
    CHECK(Digest::of(image.config_json) == image.id);
    all[image.id.text()] = image.config_json;
    CHECK(store.open_image_tree(image.chain_id).has_value());
  }
  auto tags = store.tags();
  CHECK(tags.has_value());
  for (const store::Tag& tag : *tags) {
    CHECK(all.contains(tag.image.text()));
    all[tag.name] = tag.image.text();
  }
  return all;
}

void check_layers(const store::Store& store) {
  auto images = store.images();
  for (const store::ImageRecord& image : *images) {
    for (const Digest& diff_id : image.diff_ids) {
      Sha256 hasher;
      uint64_t bytes = 0;
      auto written = store.write_layer_tar(diff_id, [&](auto data) -> Result<> {
        hasher.update(data);
        bytes += data.size();
        return {};
      });
      auto layer = store.layer(diff_id);
      CHECK(written.has_value() && hasher.finish() == diff_id);
      CHECK(layer.has_value() && layer->has_value() && (*layer)->tar_bytes == bytes);
      CHECK(store.open_layer_tree(diff_id).has_value());
    }
  }
}

Result<std::vector<Loaded>> load(store::Store& store, std::string_view archive, bool keep_blobs) {
  Fd file = TRY(store.open_spool());
  TRY(sys::write_all(file, archive));
  TRY(sys::seek(file, 0, SEEK_SET));
  LoadOptions options{.default_repository = "repository", .keep_blobs = keep_blobs};
  return load_archive(store, std::move(file), [](const auto&...) {}, options);
}

void remove_all(store::Store& store) {
  auto images = store.images();
  for (const store::ImageRecord& image : *images) CHECK(store.remove_image(image.id).has_value());
}

std::string save(const store::Store& store, ArchiveFormat format) {
  std::vector<ImageToSave> images;
  auto stored = store.images();
  for (const store::ImageRecord& image : *stored) images.push_back({.id = image.id, .tags = {}});
  auto tags = store.tags();
  for (const store::Tag& tag : *tags) {
    std::ranges::find(images, tag.image, &ImageToSave::id)->tags.push_back(tag.name);
  }
  std::string archive;
  auto sink = [&](std::span<const std::byte> data) -> Result<> {
    archive.append(reinterpret_cast<const char*>(data.data()), data.size());
    return archive.size() > saved_bytes_max ? Result<>(fail(EFBIG, "enough")) : Result<>();
  };
  auto saved = save_images(store, images, format, sink, [](const auto&...) {});
  CHECK(saved.has_value() || saved.error().code == EFBIG);
  return saved ? archive : "";
}

void check(fuzz::ScratchStore& scratch, std::string_view archive, bool keep_blobs) {
  store::Store& store = scratch.store();
  auto loaded = load(store, archive, keep_blobs);
  if (!loaded) {
    fuzz::check_refusal(loaded.error());
    CHECK(loaded.error().subject != nullptr);
    return scratch.check_empty();
  }
  auto before = shown(store);
  CHECK(!loaded->empty());
  std::map<std::string, std::string> tagged;  // by the last image that claims it
  for (const Loaded& image : *loaded) {
    CHECK(before.contains(image.id.text()));
    for (const std::string& tag : image.tags) tagged[tag] = image.id.text();
  }
  for (const auto& [tag, id] : tagged) CHECK(before[tag] == id);
  check_layers(store);
  for (ArchiveFormat format : {ArchiveFormat::docker, ArchiveFormat::oci}) {
    std::string saved = save(store, format);
    if (saved.empty()) continue;
    remove_all(store);
    scratch.check_empty();
    auto again = load(store, saved, keep_blobs);
    CHECK(again.has_value() && shown(store) == before);
  }
  remove_all(store);
  scratch.check_empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::ScratchStore scratch;
  bool keep_blobs = size / 512 % 2 == 1;
  std::string archive(reinterpret_cast<const char*>(data), size);
  fuzz::put_checksums_right(std::as_writable_bytes(std::span(archive)));
  auto repaired = fuzz::repaired_archive(std::as_bytes(std::span(archive)));
  scratch.fence().run([&] {
    check(scratch, archive, keep_blobs);
    if (repaired) check(scratch, *repaired, keep_blobs);
  });
  return 0;
}
