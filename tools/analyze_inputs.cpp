// SPDX-License-Identifier: Apache-2.0
#include "tools/analyze_inputs.h"

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "image/layer_files.h"

namespace lyr::tools {
namespace {

class StoredLayer final : public image::ByteSource {
 public:
  explicit StoredLayer(store::LayerTar tar) : tar_(std::move(tar)) {}
  Result<std::span<const std::byte>> next() override { return tar_.next(); }

 private:
  store::LayerTar tar_;
};

// Takes the fingerprint of a layer's tar, and counts it, while it is read.
class WatchedTar final : public image::ByteSource {
 public:
  WatchedTar(image::ByteSource& inner, std::function<void(size_t)> count)
      : inner_(inner), count_(std::move(count)) {}
  Result<std::span<const std::byte>> next() override {
    auto piece = TRY(inner_.next());
    name_.update(piece);
    count_(piece.size());
    return piece;
  }
  store::Fingerprint name() { return name_.finish(); }

 private:
  image::ByteSource& inner_;
  std::function<void(size_t)> count_;
  store::FingerprintStream name_;
};

// An error in one of several things that were read says in which.
Failure within(Error error, const std::string& name) {
  std::string what = describe(error);
  return fail_saying(error.code, what.find(name) == std::string::npos ? name + ": " + what : what);
}

}  // namespace

Result<> AnalyzeInputs::add(const std::string& name) {
  bool is_file = name == "-" || name.starts_with('/') || name.starts_with('.');
  if (is_file) return add_file(name);
  auto found = engine_.find_image(name);
  if (found) return add_image(name, *found);
  bool exists = TRY(sys::exists_at(sys::cwd(), name.c_str()));
  if (exists) return add_file(name);
  return Failure(std::move(found).error());
}

Result<> AnalyzeInputs::add_image(const std::string& name, const store::ImageRecord& record) {
  for (const Digest& diff_id : record.diff_ids) stored_[diff_id] += 1;
  list_.push_back({.name = name, .kind = "image", .layers = record.diff_ids.size()});
  return {};
}

Result<> AnalyzeInputs::add_file(const std::string& name) {
  auto* store = TRY(engine_.store());
  auto opened = name == "-" ? sys::dup(sys::standard_input()) : sys::open(name.c_str(), O_RDONLY);
  Fd file = TRY(about(std::move(opened), name));
  auto archive = image::LayerArchive::open(*store, std::move(file));
  if (!archive) return within(std::move(archive).error(), name);
  uint64_t layers = 0;
  for (const image::LayerArchive::Layer& layer : archive->layers()) layers += layer.times;
  const char* kind = archive->images() > 0 ? "archive" : "layer";
  list_.push_back({.name = name, .kind = kind, .layers = layers});
  archives_.push_back({.name = name, .layers = std::move(*archive)});
  return {};
}

Result<uint64_t> AnalyzeInputs::total_bytes() {
  uint64_t total = 0;
  if (!archives_.empty()) return total;  // their layers may be compressed: nobody knows
  auto* store = TRY(engine_.store());
  for (const auto& [diff_id, times] : stored_) {
    auto layer = TRY(store->layer(diff_id));
    if (layer) total += layer->tar_bytes;
  }
  return total;
}

Result<> AnalyzeInputs::read_layer(store::Analysis& analysis, image::ByteSource& tar,
                                   uint64_t times, const Progress& progress) {
  WatchedTar watched(tar, [&](size_t bytes) {
    done_bytes_ += bytes;
    progress(done_bytes_, total_bytes_);
  });
  analysis.begin_layer(times);
  image::FileSink sink{.begin = [&](uint64_t bytes) { analysis.begin_file(bytes); },
                       .add = [&](auto data) { analysis.file_bytes(data); }};
  TRY(image::each_file(watched, sink));
  analysis.end_layer(watched.name());
  return {};
}

Result<> AnalyzeInputs::read(store::Analysis& analysis, const Progress& progress) {
  auto* store = TRY(engine_.store());
  total_bytes_ = TRY(total_bytes());
  for (const auto& [diff_id, times] : stored_) {
    auto layer = TRY(store->open_layer_tar(diff_id));
    StoredLayer tar(std::move(layer));
    auto outcome = read_layer(analysis, tar, times, progress);
    if (!outcome) return within(std::move(outcome).error(), "layer " + diff_id.text());
  }
  for (const Archive& archive : archives_) {
    for (const image::LayerArchive::Layer& layer : archive.layers.layers()) {
      auto tar = archive.layers.open_layer(layer);
      if (!tar) return within(std::move(tar).error(), archive.name);
      auto outcome = read_layer(analysis, **tar, layer.times, progress);
      if (!outcome) return within(std::move(outcome).error(), archive.name);
    }
  }
  return {};
}

}  // namespace lyr::tools
