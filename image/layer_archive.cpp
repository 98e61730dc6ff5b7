// SPDX-License-Identifier: Apache-2.0
#include "image/layer_archive.h"

#include <map>

#include "base/sys_file.h"
#include "image/decode.h"
#include "image/json_text.h"
#include "image/manifest.h"
#include "image/pipelined_source.h"
#include "image/plain_archive.h"
#include "image/plan.h"
#include "image/tar_reader.h"

namespace lyr::image {
namespace {

// Inflating is worth a thread of its own, reading is not.
Result<std::unique_ptr<ByteSource>> open_tar(std::unique_ptr<ByteReader> reader) {
  auto decoded = TRY(open_decoded(std::move(reader), archive_limits));
  std::unique_ptr<ByteSource> source;
  if (decoded.compression == Compression::none) {
    source = std::make_unique<BlockSource>(std::move(decoded.reader));
  } else {
    source = TRY(PipelinedSource::start(std::move(decoded.reader)));
  }
  return source;
}

// Whether the tar is an image. A layer may well have a file called manifest.json at its top, but
// not one that lists images.
Result<bool> holds_images(ByteSource& tar) {
  TarReader reader(tar, [](std::span<const std::byte>) { return Result<>(); });
  bool layout = false, index = false, saved = false;
  for (;;) {
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) break;
    auto name = normal_name(entry->path);
    layout |= name == "oci-layout";
    index |= name == "index.json";
    if (name != "manifest.json" || entry->stored_bytes > json_bytes_max) continue;
    std::string text;
    for (;;) {
      auto piece = TRY(reader.payload());
      if (piece.empty()) break;
      text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    auto images = parse_saved_images(text);
    saved |= images && !images->empty();
  }
  if (!reader.has_end_marker()) return bad_tar("the archive has no end (truncated?)");
  return saved || (layout && index);
}

}  // namespace

Result<LayerArchive> LayerArchive::open(const store::Store& store, Fd file) {
  LayerArchive archive;
  auto status = TRY(sys::stat(file));
  if (S_ISDIR(status.st_mode)) {
    archive.file_ = std::make_shared<const Fd>(std::move(file));
    TRY(archive.take_images(std::make_unique<DirectorySource>(*archive.file_)));
  } else {
    TRY(archive.take_tar(store, std::move(file)));
  }
  return archive;
}

Result<> LayerArchive::take_tar(const store::Store& store, Fd file) {
  auto status = TRY(sys::stat(file));
  PlainArchive archive;
  bool seekable = S_ISREG(status.st_mode) && TRY(sys::seek(file, 0, SEEK_CUR))
  == 0;
  if (seekable) {
    // As it is: a compressed layer can be read twice, and needs no copy.
    archive.bytes = static_cast<uint64_t>(status.st_size);
    archive.file = std::make_shared<const Fd>(std::move(file));
  } else {
    archive = TRY(open_plain(store, std::move(file)));
  }
  auto reader = std::make_unique<FileReader>(archive.file, 0, archive.bytes);
  auto tar = TRY(open_tar(std::move(reader)));
  bool images = TRY(holds_images(*tar));
  file_ = archive.file;
  if (!images) {
    layers_.push_back({.file = "", .times = 1, .bytes = archive.bytes});
    return {};
  }
  auto copy = TRY(sys::dup(*archive.file));
  archive = TRY(open_plain(store, std::move(copy)));
  file_ = archive.file;
  auto source = TRY(ArchiveSource::index(archive.file, archive.bytes));
  return take_images(std::make_unique<ArchiveSource>(std::move(source)));
}

Result<> LayerArchive::take_images(std::unique_ptr<BlobSource> source) {
  auto plan = TRY(make_plan(*source, ""));
  images_ = plan.size();
  std::map<std::string, size_t> known;  // where in layers_ a file stands
  for (const PlannedImage& image : plan) {
    for (const PlannedLayer& planned : image.layers) {
      auto [place, added] = known.emplace(planned.file, layers_.size());
      if (!added) {
        layers_[place->second].times += 1;
        continue;
      }
      auto bytes = TRY(source->size(planned.file));
      if (!bytes) return fail(EBADMSG, "open", "layer " + planned.file + " is missing");
      layers_.push_back({.file = planned.file, .times = 1, .bytes = *bytes});
    }
  }
  source_ = std::move(source);
  return {};
}

Result<std::unique_ptr<ByteSource>> LayerArchive::open_layer(const Layer& layer) const {
  if (source_ != nullptr) {
    auto reader = TRY(source_->open(layer.file));
    return open_tar(std::move(reader));
  }
  return open_tar(std::make_unique<FileReader>(file_, 0, layer.bytes));
}

}  // namespace lyr::image
