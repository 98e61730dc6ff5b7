// SPDX-License-Identifier: Apache-2.0
// The runtime spec of a container, from its resolved record.
#pragma once

#include "engine/engine_state.h"
#include "engine/user.h"
#include "sandbox/spec.h"

namespace lyr::engine {

// Writes etc/hosts, etc/hostname and etc/resolv.conf of the container, which are bound into it.
Result<> write_network_files(const ContainerDirectory& directory, const ContainerInfo& info);

Result<sandbox::Spec> make_spec(const Engine::State& engine, const ContainerInfo& info,
                                const ResolvedUser& user, const sandbox::IdMap& map);

// The process of `lyr exec` in a container of this record.
Result<sandbox::Process> make_exec_process(const ContainerInfo& info, const ExecOptions& options,
                                           const Accounts& accounts);

}  // namespace lyr::engine
