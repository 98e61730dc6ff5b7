// SPDX-License-Identifier: Apache-2.0
// How a container's root comes to be: by lyr's own server alone, or by the kernel's overlayfs over
// the image, which a server shows (docs/unionfs.md, "Modes").
#pragma once

#include <string>

#include "base/result.h"
#include "engine/engine_state.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {

struct ChosenUnion {
  UnionMode mode = UnionMode::fuse;  // never automatic
  std::string why;                   // for a person
};

// What a new container gets here if nobody says otherwise.
ChosenUnion choose_union(const Engine::State& engine, const sandbox::IdMap& map);
// Why one that asks for that mode cannot have it; empty: it can, as far as is known before it is
// tried. Never automatic.
std::string obstacle(const Engine::State& engine, UnionMode mode, const sandbox::IdMap& map);
// What this one gets. ENOTSUP: the mode that it asks for cannot be had.
Result<ChosenUnion> choose_union(const Engine::State& engine, const ContainerDirectory& directory,
                                 UnionMode asked, const sandbox::IdMap& map);

// Remembers, until the next boot, that overlayfs was refused and why.
void note_overlay_refused(const Engine::State& engine, const std::string& why);
// Remembers how the container has been used, for its next start.
Result<> note_union(const ContainerDirectory& directory, UnionMode mode);

// Whether we are root of the host, not of a container: only then are "trusted." attributes ours.
bool is_host_root();

}  // namespace lyr::engine
