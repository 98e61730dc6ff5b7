// SPDX-License-Identifier: Apache-2.0
// What a container will be, from what the image says and what a person asked for, by docker's
// rules.
#pragma once

#include "engine/engine.h"
#include "image/config.h"

namespace lyr::engine {

// Fills `info.options` and `info.command`. EINVAL says what is missing or wrong: no command, a bad
// path, an unknown capability...
Result<> resolve_options(const image::Config& image, const CreateOptions& asked,
                         ContainerInfo& info);

// "SIGTERM", "TERM", "15" → 15. EINVAL for no signal.
Result<int> parse_signal(std::string_view text);

// docker's 14 with `add` and `drop` applied: "CAP_..." names. EINVAL for an unknown one.
Result<std::vector<std::string>> capabilities_of(const std::vector<std::string>& add,
                                                 const std::vector<std::string>& drop);

// What a container has when neither its image nor who made it says a PATH.
constexpr char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
bool has_path(const std::vector<std::string>& env);

// Sets NAME=value in an environment, replacing what NAME was.
void set_variable(std::vector<std::string>& env, std::string assignment);

}  // namespace lyr::engine
