// SPDX-License-Identifier: Apache-2.0
// Images as people name them, and their removal by docker's rules: a name goes first, the image
// with its last name.
#include <algorithm>

#include "engine/engine_state.h"
#include "image/reference.h"

namespace lyr::engine {
namespace {

bool looks_like_id(std::string_view text) {
  auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, hex);
}

Result<std::optional<store::ImageRecord>> by_name(const store::Store& store,
                                                  std::string_view text) {
  auto reference = image::parse_reference(text);
  if (!reference) return std::nullopt;
  auto id = TRY(store.tag(reference->canonical()));
  if (!id) return std::nullopt;
  return store.image(*id);
}

Result<std::optional<store::ImageRecord>> by_id(const store::Store& store, std::string_view text) {
  std::string_view hex = text.starts_with("sha256:") ? text.substr(7) : text;
  if (!looks_like_id(hex)) return std::nullopt;
  std::optional<store::ImageRecord> found;
  auto images = TRY(store.images());
  for (store::ImageRecord& record : images) {
    if (!record.id.hex().starts_with(hex)) continue;
    if (found) {
      return fail_saying(EINVAL, "more than one image's id starts with " + std::string(text) +
                                     "; give more of it");
    }
    found = std::move(record);
  }
  return found;
}

std::vector<std::string> names_of(const std::vector<store::Tag>& tags, const Digest& image) {
  std::vector<std::string> names;
  for (const store::Tag& tag : tags) {
    if (tag.image == image) names.push_back(tag.name);
  }
  return names;
}

// A name's tag, or all tags of a repository that is named without one.
std::vector<store::Tag> tags_meant(const std::vector<store::Tag>& tags, std::string_view text) {
  std::vector<store::Tag> meant;
  auto reference = image::parse_reference(text);
  if (!reference || reference->digest) return meant;
  bool bare = !text.ends_with(":" + reference->tag);
  std::string repository = reference->registry + "/" + reference->repository + ":";
  for (const store::Tag& tag : tags) {
    bool fits = bare ? tag.name.starts_with(repository) : tag.name == reference->canonical();
    if (fits) meant.push_back(tag);
  }
  return meant;
}

void add_tag(std::vector<image::ImageToSave>& images, const Digest& id, const std::string& tag) {
  auto image = std::ranges::find(images, id, &image::ImageToSave::id);
  if (image == images.end()) image = images.insert(images.end(), {.id = id, .tags = {}});
  bool known = tag.empty() || std::ranges::find(image->tags, tag) != image->tags.end();
  if (!known) image->tags.push_back(tag);
}

}  // namespace

Result<store::ImageRecord> Engine::find_image(std::string_view reference) {
  auto* images = TRY(store());
  auto found = TRY(by_name(*images, reference));
  if (!found) found = TRY(by_id(*images, reference));
  if (!found) {
    return fail_saying(ENOENT, "No such image: " + std::string(reference) +
                                   " (load one with lyr load; lyr images lists what is here)");
  }
  return std::move(*found);
}

Result<std::vector<image::ImageToSave>> Engine::images_to_save(
    std::span<const std::string> references) {
  auto* images = TRY(store());
  auto tags = TRY(images->tags());
  std::vector<image::ImageToSave> wanted;
  for (const std::string& reference : references) {
    auto named = tags_meant(tags, reference);
    for (const store::Tag& tag : named) add_tag(wanted, tag.image, tag.name);
    if (!named.empty()) continue;
    auto record = TRY(find_image(reference));
    add_tag(wanted, record.id, "");
  }
  return wanted;
}

Result<std::vector<std::string>> Engine::remove_image(std::string_view reference, bool force) {
  auto* images = TRY(store());
  auto record = TRY(find_image(reference));
  auto tags = TRY(images->tags());
  auto names = names_of(tags, record.id);
  auto named = TRY(by_name(*images, reference));
  std::vector<std::string> done;
  if (named && names.size() > 1) {
    auto parsed = TRY(image::parse_reference(reference));
    TRY(images->remove_tag(parsed.canonical()));
    done.push_back("Untagged: " + parsed.familiar());
    return done;
  }
  if (!named && names.size() > 1 && !force) {
    return fail_saying(EBUSY, "image " + record.id.hex().substr(0, 12) +
                                  " has several names; remove those, or use -f");
  }
  auto users = TRY(containers());
  for (const ContainerInfo& user : users) {
    if (user.image_id != record.id) continue;
    // A container needs its image's tree: even -f does not take that from under one.
    return fail_saying(EBUSY, "image " + std::string(reference) + " is used by container " +
                                  user.name + " (" + user.id.substr(0, 12) +
                                  "); remove that first (lyr rm " +
                                  (user.status == Status::running ? "-f " : "") + user.name + ")");
  }
  TRY(images->remove_image(record.id));
  for (const std::string& name : names) done.push_back("Untagged: " + image::familiar(name));
  done.push_back("Deleted: " + record.id.text());
  return done;
}

}  // namespace lyr::engine
