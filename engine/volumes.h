// SPDX-License-Identifier: Apache-2.0
// Volumes: host paths, named volumes ($root/volumes/NAME/_data), and anonymous ones, whose names
// are made up and which go with their container.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/engine_state.h"

namespace lyr::engine {

// Gives every volume of the options a name or an absolute host path, and makes what is missing
// (docker makes missing host directories too). EINVAL: a bad name.
// New ones begin with what `image` has at their place. Anonymous ones are noted in the container's
// directory before they are made.
Result<> prepare_volumes(const Engine::State& engine, const store::Store& store,
                         const store::ImageRecord& image, const ContainerDirectory& directory,
                         ContainerInfo& info);
// The host path a resolved volume is.
std::string volume_path(const Engine::State& engine, const VolumeMount& volume);
bool is_host_path(const VolumeMount& volume);
// Whether it is a volume's name as make_id() makes them: nobody gave it one.
bool is_anonymous(const std::string& volume);
// All there are, by name.
Result<std::vector<std::string>> volume_names(const Engine::State& engine);
// Those that these containers have.
std::set<std::string> used_volumes(const std::vector<ContainerInfo>& containers);
// Those noted in `container`, its persistent directory; what is gone already is success.
Result<> remove_anonymous_volumes(const Engine::State& engine, const Fd& container);

}  // namespace lyr::engine
