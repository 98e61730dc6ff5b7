// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <algorithm>

#include "base/sys_file.h"
#include "engine/engine_state.h"
#include "engine/names.h"
#include "engine/reconcile.h"
#include "engine/record.h"
#include "image/reference.h"

namespace lyr::engine {
namespace {

constexpr size_t id_prefix_min = 1;

Result<Fd> open_private(const std::string& path) {
  TRY(about(sys::mkdir_all_at(sys::cwd(), path, 0700), path));
  return about(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY), path);
}

Failure explain_root(const Error& error, const std::string& root) {
  return fail_saying(error.code, "cannot use " + root + ": " + describe(error) +
                                     " (choose another with --root or LYR_ROOT)");
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<std::vector<std::string>> container_ids(const Engine::State& engine) {
  std::vector<std::string> ids;
  TRY(sys::read_directory(engine.containers, [&](const sys::DirectoryEntry& entry) {
    if (entry.name.size() == 64 && is_hex(entry.name)) ids.emplace_back(entry.name);
    return true;
  }));
  return ids;
}

}  // namespace

std::string store_directory(const Roots& roots) { return roots.root + "/store"; }

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::open(Roots roots) {
  auto state = std::make_unique<State>();
  for (std::string* root : {&roots.root, &roots.run_root}) {
    if (!root->starts_with('/')) *root = TRY(sys::working_directory())
    +"/" + *root;
  }
  state->roots = roots;
  auto open_all = [&]() -> Result<> {
    state->containers = TRY(open_private(roots.root + "/containers"));
    state->names = TRY(open_private(roots.root + "/containers/names"));
    state->volumes = TRY(open_private(roots.root + "/volumes"));
    return {};
  };
  auto opened = open_all();
  if (!opened) return explain_root(opened.error(), roots.root);
  auto running = open_private(roots.run_root + "/containers");
  if (!running) return explain_root(running.error(), roots.run_root);
  state->running = std::move(*running);
  return Engine(std::move(state));
}

const Roots& Engine::roots() const { return state_->roots; }

Result<store::Store*> Engine::store() {
  if (!state_->store) {
    auto opened = store::Store::open(store_directory(state_->roots));
    if (!opened) return explain_root(opened.error(), state_->roots.root);
    state_->store = std::move(*opened);
  }
  return &*state_->store;
}

Result<ContainerDirectory> open_container(const Engine::State& engine, const std::string& id) {
  ContainerDirectory directory;
  directory.id = id;
  directory.persistent =
      TRY(sys::open_at(engine.containers, id.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  auto made = sys::mkdir_at(engine.running, id.c_str(), 0700);
  if (!made && made.error().code != EEXIST) return std::unexpected(std::move(made).error());
  directory.runtime =
      TRY(sys::open_at(engine.running, id.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return directory;
}

Result<std::vector<ContainerInfo>> Engine::containers() {
  std::vector<ContainerInfo> all;
  TRY(sweep_running(*state_));
  auto ids = TRY(container_ids(*state_));
  for (const std::string& id : ids) {
    auto info = inspect_container(*state_, id);
    if (info && *info) all.push_back(std::move(**info));
    // A container that goes away meanwhile, or whose record is damaged, hides no other.
  }
  std::ranges::sort(all, std::greater<>(), &ContainerInfo::created_unix_ns);
  return all;
}

Result<ContainerInfo> Engine::find(std::string_view name_or_id) {
  std::string text(name_or_id.starts_with('/') ? name_or_id.substr(1) : name_or_id);
  auto missing = [&] { return fail_saying(ENOENT, "No such container: " + text); };
  std::string id;
  if (check_name(text)) {
    auto named = TRY(id_of_name(*state_, text));
    id = named.value_or("");
  }
  if (id.empty() && text.size() >= id_prefix_min && text.size() <= 64 && is_hex(text)) {
    auto ids = TRY(container_ids(*state_));
    for (const std::string& candidate : ids) {
      if (!candidate.starts_with(text)) continue;
      if (!id.empty()) {
        return fail_saying(
            EINVAL, "more than one container's id starts with " + text + "; give more of it");
      }
      id = candidate;
    }
  }
  if (id.empty()) return missing();
  auto info = TRY(inspect_container(*state_, id));
  if (!info) return missing();
  return std::move(*info);
}

}  // namespace lyr::engine
