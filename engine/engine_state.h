// SPDX-License-Identifier: Apache-2.0
// What an Engine holds: descriptors of its two roots, and the store. Everything it does to a
// container starts from the directories here; no path is ever joined from what a container or an
// image says.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "engine/engine.h"
#include "store/store.h"

namespace lyr::engine {

struct Engine::State {
  Roots roots;
  Fd containers;  // $root/containers: a directory a container, and names/
  Fd names;       // $root/containers/names: NAME is a symlink to the id
  Fd volumes;     // $root/volumes: NAME/_data
  Fd running;     // $run_root/containers
  std::optional<store::Store> store;
};

// The two directories of one container.
struct ContainerDirectory {
  std::string id;
  Fd persistent;
  Fd runtime;
};

// Opens both, making the runtime one when a reboot took it. ENOENT: no such container.
Result<ContainerDirectory> open_container(const Engine::State& engine, const std::string& id);

std::string store_directory(const Roots& roots);

}  // namespace lyr::engine
