// SPDX-License-Identifier: Apache-2.0
// docker system prune: containers that do not run, images that nobody uses, volumes without a name
// of their own; then the space.
#include <algorithm>
#include <set>

#include "base/sys_file.h"
#include "engine/engine_state.h"
#include "engine/id_map.h"
#include "engine/volumes.h"
#include "image/reference.h"

namespace lyr::engine {
namespace {

bool is_running(const ContainerInfo& info) { return info.status == Status::running; }

}  // namespace

Result<> Engine::prune_containers(const PruneOptions& options, PruneReport& report) {
  auto all = TRY(containers());
  for (const ContainerInfo& info : all) {
    if (is_running(info) || info.created_unix_ns > options.created_before_ns) continue;
    auto removed = remove(info.id, false, false);
    if (!removed && removed.error().code == EBUSY) continue;  // started meanwhile
    TRY(std::move(removed));
    report.containers.push_back(info.id);
  }
  return {};
}

Result<> Engine::prune_images(const PruneOptions& options, PruneReport& report) {
  auto* images = TRY(store());
  auto users = TRY(containers());
  std::set<Digest> kept;
  for (const ContainerInfo& user : users) kept.insert(user.image_id);
  auto tags = TRY(images->tags());
  if (!options.all_images) {
    for (const store::Tag& tag : tags) kept.insert(tag.image);
  }
  auto records = TRY(images->images());
  for (const store::ImageRecord& record : records) {
    bool young = record.created_unix > options.created_before_ns / 1'000'000'000;
    if (kept.contains(record.id) || young) continue;
    auto removed = images->remove_image(record.id);
    if (!removed && removed.error().code == ENOENT) continue;
    TRY(std::move(removed));
    for (const store::Tag& tag : tags) {
      if (tag.image == record.id) report.images.push_back("untagged: " + image::familiar(tag.name));
    }
    report.images.push_back("deleted: " + record.id.text());
  }
  return {};
}

Result<> Engine::prune_volumes(PruneReport& report) {
  auto users = TRY(containers());
  auto used = used_volumes(users);
  auto names = TRY(volume_names(*state_));
  auto map = TRY(choose_map());
  for (const std::string& name : names) {
    if (used.contains(name) || !is_anonymous(name)) continue;
    auto remove = [&] { return sys::remove_all_at(state_->volumes, name.c_str()); };
    TRY(sandbox::run_mapped(map.map, remove));
    report.volumes.push_back(name);
  }
  return {};
}

Result<PruneReport> Engine::prune(const PruneOptions& options) {
  PruneReport report;
  auto before = TRY(disk_usage());
  if (options.containers) TRY(prune_containers(options, report));
  if (options.volumes) TRY(prune_volumes(report));
  if (options.images) {
    TRY(prune_images(options, report));
    auto* images = TRY(store());
    TRY(images->collect({.hot_files = true}));
  }
  auto after = TRY(disk_usage());
  auto sum = [](const DiskUsage& usage) {
    return usage.images.bytes + usage.containers.bytes + usage.volumes.bytes;
  };
  uint64_t taken = sum(before);
  report.reclaimed_bytes = taken - std::min(taken, sum(after));
  return report;
}

}  // namespace lyr::engine
