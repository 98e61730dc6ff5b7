// SPDX-License-Identifier: Apache-2.0
// What images, containers and volumes take on disk: blocks, as du counts them, so that the two can
// be compared.
#include <algorithm>
#include <set>

#include "base/sys_file.h"
#include "engine/engine_state.h"
#include "engine/id_map.h"
#include "engine/volumes.h"

namespace lyr::engine {
namespace {

// Of each directory `parent`/name. Files in them may be owned by any of the container's ids, so
// that their owner has to look.
Result<std::vector<uint64_t>> sizes_below(const Engine::State& engine, const Fd& parent,
                                          const std::vector<std::string>& names) {
  std::vector<uint64_t> sizes(names.size());
  auto bytes = std::as_writable_bytes(std::span(sizes));
  Fd answer = TRY(sys::open_unnamed(engine.running, O_RDWR, 0600));
  auto measure = [&]() -> Result<> {
    for (size_t i = 0; i < names.size(); ++i) {
      sizes[i] = TRY(sys::disk_bytes_at(parent, names[i].c_str()));
    }
    return sys::pwrite_all(answer, bytes, 0);
  };
  auto map = TRY(choose_map());
  TRY(sandbox::run_mapped(map.map, measure));
  TRY(sys::pread_exactly(answer, bytes, 0));
  return sizes;
}

Result<KindUsage> image_usage(const store::Store& store,
                              const std::vector<ContainerInfo>& containers) {
  std::set<Digest> used;
  for (const ContainerInfo& container : containers) used.insert(container.image_id);
  auto images = TRY(store.images());
  KindUsage usage;
  usage.total = images.size();
  std::vector<Digest> kept;
  for (const store::ImageRecord& image : images) {
    if (used.contains(image.id)) kept.push_back(image.id);
  }
  usage.active = kept.size();
  auto on_disk = TRY(store.usage(kept));
  usage.bytes = on_disk.disk_bytes;
  usage.reclaimable_bytes = on_disk.reclaimable_bytes;
  return usage;
}

Result<KindUsage> container_usage(const Engine::State& engine,
                                  const std::vector<ContainerInfo>& containers) {
  std::vector<std::string> ids;
  for (const ContainerInfo& container : containers) ids.push_back(container.id);
  auto sizes = TRY(sizes_below(engine, engine.containers, ids));
  KindUsage usage;
  usage.total = containers.size();
  for (size_t i = 0; i < containers.size(); ++i) {
    bool running = containers[i].status == Status::running;
    usage.active += running ? 1 : 0;
    usage.bytes += sizes[i];
    if (!running) usage.reclaimable_bytes += sizes[i];
  }
  return usage;
}

Result<KindUsage> volume_usage(const Engine::State& engine,
                               const std::vector<ContainerInfo>& containers) {
  auto names = TRY(volume_names(engine));
  auto used = used_volumes(containers);
  auto sizes = TRY(sizes_below(engine, engine.volumes, names));
  KindUsage usage;
  usage.total = names.size();
  for (size_t i = 0; i < names.size(); ++i) {
    bool active = used.contains(names[i]);
    usage.active += active ? 1 : 0;
    usage.bytes += sizes[i];
    if (!active) usage.reclaimable_bytes += sizes[i];
  }
  return usage;
}

}  // namespace

Result<DiskUsage> Engine::disk_usage() {
  auto* images = TRY(store());
  auto all = TRY(containers());
  DiskUsage usage;
  usage.images = TRY(image_usage(*images, all));
  usage.containers = TRY(container_usage(*state_, all));
  usage.volumes = TRY(volume_usage(*state_, all));
  return usage;
}

}  // namespace lyr::engine
