// SPDX-License-Identifier: Apache-2.0
// OCI layouts (image-spec image-layout.md): index.json leads to manifests, directly or through
// further indexes, each naming its parts by digest and size.
#include <algorithm>

#include "image/json_text.h"
#include "image/manifest.h"
#include "image/plan.h"

namespace lyr::image {
namespace {

constexpr size_t documents_max = 16384;  // that one load reads

std::optional<std::string> tag_of(const Descriptor& descriptor, std::string_view repository) {
  auto name = descriptor.annotations.find(containerd_name_annotation);
  if (name != descriptor.annotations.end()) return tag_name(name->second);
  name = descriptor.annotations.find(ref_name_annotation);
  if (name == descriptor.annotations.end()) return std::nullopt;
  bool full = name->second.find_first_of("/:@") != std::string::npos;
  if (full) return tag_name(name->second);
  if (repository.empty()) return std::nullopt;
  return tag_name(std::string(repository) + ":" + name->second);
}

class LayoutPlanner {
 public:
  LayoutPlanner(const BlobSource& source, std::string_view default_repository, Plan& plan)
      : source_(source), default_repository_(default_repository), plan_(plan) {}

  Result<> run() {
    std::string version = TRY(read_text(source_, "oci-layout", json_bytes_max));
    TRY(check_layout_version(version));
    std::string text = TRY(read_text(source_, "index.json", json_bytes_max));
    Index index = TRY(about_parse(parse_index(text, ""), "index.json"));
    std::string others;
    for (const Descriptor& descriptor : index.manifests) {
      // Signatures and their like may stand beside images.
      bool image = descriptor.artifact_type.empty() &&
                   media_kind(descriptor.media_type) != MediaKind::unknown;
      bool fits = !descriptor.platform || fits_host(*descriptor.platform);
      if (image && fits) TRY(add(descriptor, tag_of(descriptor, default_repository_), 0));
      if (image && !fits) others += " " + descriptor.platform->text();
    }
    if (plan_.empty() && !others.empty()) return none_fits(others);
    return {};
  }

 private:
  template <class T>
  static Result<T> about_parse(Result<T>&& result, const std::string& document) {
    if (!result && result.error().subject != nullptr) {
      *result.error().subject = document + ": " + *result.error().subject;
    }
    return std::move(result);
  }

  static Failure none_fits(const std::string& others) {
    return fail_saying(
        ENOENT, "the image is not made for " + host_platform().text() + ", only for:" + others);
  }

  Result<std::string> read_blob(const Descriptor& descriptor) {
    const std::string name = "blob " + descriptor.digest.text();
    if (++documents_ > documents_max) return bad_json("the layout has too many documents");
    auto size = TRY(source_.size(blob_file(descriptor.digest)));
    if (!size) return bad_json(name + " is missing");
    if (*size != descriptor.size) {
      return bad_json(name + " has " + std::to_string(*size) + " bytes, its descriptor says " +
                      std::to_string(descriptor.size));
    }
    if (*size > json_bytes_max) return bad_json(name + " is too large for a manifest or config");
    std::string text = TRY(read_text(source_, blob_file(descriptor.digest), json_bytes_max));
    if (Digest::of(text) != descriptor.digest) {
      return bad_json(name + " does not match its digest (damaged)");
    }
    return text;
  }

  Result<> add(const Descriptor& descriptor, const std::optional<std::string>& tag, int depth) {
    switch (media_kind(descriptor.media_type)) {
      case MediaKind::index:
        return add_index(descriptor, tag, depth);
      case MediaKind::manifest:
        return add_manifest(descriptor, tag);
      default:
        return bad_json("blob " + descriptor.digest.text() + " is '" +
                        descriptor.media_type.substr(0, 100) + "', not a manifest or an index");
    }
  }

  // An image for several platforms: the first that fits.
  Result<> add_index(const Descriptor& descriptor, const std::optional<std::string>& tag,
                     int depth) {
    if (depth == index_depth_max) return bad_json("indexes are nested too deep");
    std::string text = TRY(read_blob(descriptor));
    Index index =
        TRY(about_parse(parse_index(text, descriptor.media_type), descriptor.digest.text()));
    std::string others;
    for (const Descriptor& item : index.manifests) {
      bool fits = !item.platform || fits_host(*item.platform);
      bool image = item.artifact_type.empty() && media_kind(item.media_type) != MediaKind::unknown;
      if (image && fits) return add(item, tag, depth + 1);
      if (item.platform) others += " " + item.platform->text();
    }
    return none_fits(others);
  }

  Result<> add_manifest(const Descriptor& descriptor, const std::optional<std::string>& tag) {
    PlannedImage image;
    image.manifest_json = TRY(read_blob(descriptor));
    const std::string name = descriptor.digest.text();
    Manifest manifest =
        TRY(about_parse(parse_manifest(image.manifest_json, descriptor.media_type), name));
    image.id = manifest.config.digest;
    image.config_json = TRY(read_blob(manifest.config));
    image.config = TRY(about_parse(parse_config(image.config_json), "config " + image.id.text()));
    if (image.config.diff_ids.size() != manifest.layers.size()) {
      return bad_json(name + ": the manifest has " + std::to_string(manifest.layers.size()) +
                      " layers, the config " + std::to_string(image.config.diff_ids.size()));
    }
    for (size_t i = 0; i < manifest.layers.size(); ++i) {
      Descriptor& layer = manifest.layers[i];
      image.layers.push_back({.file = blob_file(layer.digest),
                              .diff_id = image.config.diff_ids[i],
                              .digest = layer.digest,
                              .bytes = layer.size,
                              .media_type = std::move(layer.media_type)});
    }
    if (tag) add_tag(image, *tag);
    return add_image(plan_, std::move(image));
  }

  const BlobSource& source_;
  std::string_view default_repository_;
  Plan& plan_;
  size_t documents_ = 0;
};

}  // namespace

Result<> plan_layout(const BlobSource& source, std::string_view default_repository, Plan& plan) {
  LayoutPlanner planner(source, default_repository, plan);
  return planner.run();
}

}  // namespace lyr::image
