// SPDX-License-Identifier: Apache-2.0
#include "engine/volumes.h"

#include <algorithm>
#include <optional>

#include "base/sys_file.h"
#include "engine/id_map.h"
#include "engine/names.h"
#include "engine/seed_volume.h"

namespace lyr::engine {
namespace {

constexpr char anonymous_directory[] = "anonymous";  // of a container: an entry a volume's name

}  // namespace

bool is_host_path(const VolumeMount& volume) { return volume.source.starts_with('/'); }

std::string volume_path(const Engine::State& engine, const VolumeMount& volume) {
  if (is_host_path(volume)) return volume.source;
  return engine.roots.root + "/volumes/" + volume.source + "/_data";
}

Result<std::vector<std::string>> volume_names(const Engine::State& engine) {
  std::vector<std::string> names;
  Fd own = TRY(sys::open_at(engine.volumes, ".", O_RDONLY | O_DIRECTORY));
  TRY(sys::read_directory(own, [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  }));
  std::ranges::sort(names);
  return names;
}

std::set<std::string> used_volumes(const std::vector<ContainerInfo>& containers) {
  std::set<std::string> used;
  for (const ContainerInfo& container : containers) {
    for (const VolumeMount& volume : container.options.volumes) used.insert(volume.source);
  }
  return used;
}

bool is_anonymous(const std::string& volume) {
  auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return volume.size() == 64 && std::ranges::all_of(volume, hex);
}

Result<> prepare_volumes(const Engine::State& engine, const store::Store& store,
                         const store::ImageRecord& image, const ContainerDirectory& directory,
                         ContainerInfo& info) {
  std::optional<store::Tree> tree;
  for (VolumeMount& volume : info.options.volumes) {
    if (is_host_path(volume)) {
      bool exists = TRY(sys::exists_at(sys::cwd(), volume.source.c_str()));
      if (!exists) TRY(about(sys::mkdir_all_at(sys::cwd(), volume.source, 0755), volume.source));
      continue;
    }
    if (volume.source.empty()) {
      volume.source = TRY(make_id());
      std::string note = std::string(anonymous_directory) + "/" + volume.source;
      TRY(sys::mkdir_all_at(directory.persistent, note, 0700));
    } else if (!check_name(volume.source)) {
      return fail_saying(EINVAL,
                         "'" + volume.source +
                             "' is neither a volume name ([a-zA-Z0-9][a-zA-Z0-9_.-]*) nor an "
                             "absolute host path");
    }
    TRY(sys::mkdir_all_at(engine.volumes, volume.source + "/_data", 0755));
    if (!tree) tree = TRY(store.open_image_tree(image.chain_id));
    auto map = TRY(choose_map());
    Fd place = TRY(sys::open_at(engine.volumes, volume.source.c_str(), O_RDONLY | O_DIRECTORY));
    TRY(about(seed_volume(store, *tree, volume.destination, place, map.map), volume.source));
  }
  return {};
}

Result<> remove_anonymous_volumes(const Engine::State& engine, const Fd& container) {
  auto notes = sys::open_at(container, anonymous_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!notes && notes.error().code == ENOENT) return {};
  if (!notes) return std::unexpected(std::move(notes).error());
  std::vector<std::string> names;
  TRY(sys::read_directory(*notes, [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  }));
  auto map = TRY(choose_map());
  auto remove = [&]() -> Result<> {
    for (const std::string& name : names) TRY(sys::remove_all_at(engine.volumes, name.c_str()));
    return {};
  };
  return sandbox::run_mapped(map.map, remove);
}

}  // namespace lyr::engine
