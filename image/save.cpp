// SPDX-License-Identifier: Apache-2.0
#include "image/save.h"

#include "image/archive_plan.h"
#include "image/tar_writer.h"

namespace lyr::image {
namespace {

Result<StoredImage> find(const store::Store& store, const ImageToSave& wanted) {
  StoredImage image;
  auto record = TRY(store.image(wanted.id));
  if (!record) return fail(ENOENT, "image", wanted.id.text());
  image.record = std::move(*record);
  for (const Digest& diff_id : image.record.diff_ids) {
    auto layer = TRY(store.layer(diff_id));
    if (!layer) return fail(ENOENT, "layer", diff_id.text());
    image.layers.push_back(std::move(*layer));
  }
  image.tags = wanted.tags;
  return image;
}

class ArchiveWriter {
 public:
  ArchiveWriter(const store::Store& store, const store::ByteSink& sink, ProgressMeter& meter)
      : store_(store), tar_(sink), meter_(meter) {}

  Result<> add(const ArchiveMember& member) {
    switch (member.kind) {
      case ArchiveMember::Kind::directory:
        return tar_.directory(member.path);
      case ArchiveMember::Kind::text:
        return tar_.file(member.path, member.text);
      case ArchiveMember::Kind::layer_tar:
      case ArchiveMember::Kind::layer_blob:
        return add_layer(member);
    }
    return {};
  }
  Result<> finish() { return tar_.finish(); }

 private:
  Result<> add_layer(const ArchiveMember& member) {
    auto sink = [&](std::span<const std::byte> piece) {
      meter_.add(piece.size());
      return tar_.write(piece);
    };
    TRY(tar_.begin_file(member.path, member.layer_bytes()));
    bool as_blob = member.kind == ArchiveMember::Kind::layer_blob;
    auto written = as_blob ? store_.write_layer_blob(member.layer, sink)
                           : store_.write_layer_tar(member.layer.diff_id, sink);
    if (written) written = tar_.end_file();
    return about(std::move(written), "layer " + member.layer.diff_id.text());
  }

  const store::Store& store_;
  TarWriter tar_;
  ProgressMeter& meter_;
};

}  // namespace

Result<> save_images(const store::Store& store, std::span<const ImageToSave> images,
                     ArchiveFormat format, const store::ByteSink& sink, const Progress& progress) {
  std::vector<StoredImage> found;
  for (const ImageToSave& wanted : images) {
    auto image = TRY(find(store, wanted));
    found.push_back(std::move(image));
  }
  ArchivePlan plan =
      format == ArchiveFormat::oci ? plan_oci_archive(found) : plan_docker_archive(found);
  found.clear();
  auto members = plan.take();
  uint64_t total = 0;
  for (const ArchiveMember& member : members) total += member.layer_bytes();
  ProgressMeter meter(progress, total);
  ArchiveWriter writer(store, sink, meter);
  for (const ArchiveMember& member : members) TRY(writer.add(member));
  return writer.finish();
}

}  // namespace lyr::image
