// SPDX-License-Identifier: Apache-2.0
// Container names: what may be one, made-up ones, and claiming one. A name is a symlink names/NAME
// to its id, so making it is the claim and the file system decides who was first.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/engine_state.h"

namespace lyr::engine {

// podman's rule: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128 bytes. EINVAL says the rule.
Result<> check_name(std::string_view name);
Result<std::string> make_id();  // 64 hex digits
// EEXIST names the container that has it.
Result<> claim_name(const Engine::State& engine, const std::string& name, const std::string& id);
// Claims a made-up "adjective_noun".
Result<std::string> claim_made_up_name(const Engine::State& engine, const std::string& id);
Result<> release_name(const Engine::State& engine, const std::string& name, const std::string& id);
// Releases every name of a container whose record, which would say its name, was never written.
Result<> release_names_of(const Engine::State& engine, const std::string& id);
// The id behind a name; absent when nobody has it.
Result<std::optional<std::string>> id_of_name(const Engine::State& engine, const std::string& name);

}  // namespace lyr::engine
