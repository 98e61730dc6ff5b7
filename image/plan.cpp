// SPDX-License-Identifier: Apache-2.0
#include "image/plan.h"

#include <algorithm>

#include "image/reference.h"

namespace lyr::image {

std::optional<std::string> tag_name(std::string_view name) {
  auto reference = parse_reference(name);
  if (!reference || reference->tag.empty()) return std::nullopt;
  reference->digest = std::nullopt;
  return reference->canonical();
}

void add_tag(PlannedImage& image, std::string tag) {
  auto at = std::ranges::lower_bound(image.tags, tag);
  if (at == image.tags.end() || *at != tag) image.tags.insert(at, std::move(tag));
}

Result<> add_image(Plan& plan, PlannedImage image) {
  auto same = std::ranges::find(plan, image.id, &PlannedImage::id);
  if (same != plan.end()) {
    for (std::string& tag : image.tags) add_tag(*same, std::move(tag));
    return {};
  }
  if (plan.size() == planned_images_max) return fail(E2BIG, "load", "too many images");
  plan.push_back(std::move(image));
  return {};
}

Result<Plan> make_plan(const BlobSource& source, std::string_view default_repository) {
  Plan plan;
  auto layout = TRY(source.size("index.json"));
  auto saved = TRY(source.size("manifest.json"));
  if (!layout && !saved) {
    auto legacy = TRY(source.size("repositories"));
    if (legacy) {
      return fail_saying(EPROTONOSUPPORT,
                         "the archive was saved by docker older than 1.10, in a form lyr cannot "
                         "read: load it with a newer docker and save it again");
    }
    return fail_saying(EBADMSG,
                       "not an image: it has neither index.json (OCI layout) nor manifest.json "
                       "(docker save)");
  }
  // Newer docker save writes both. The layout has the manifests; manifest.json may know more tags.
  if (layout) TRY(plan_layout(source, default_repository, plan));
  if (saved) TRY(plan_saved(source, plan));
  if (plan.empty()) return fail_saying(EBADMSG, "the archive holds no image");
  return plan;
}

}  // namespace lyr::image
