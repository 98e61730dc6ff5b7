// SPDX-License-Identifier: Apache-2.0
// The last steps of every process of a container, first or joined: it gives up what it may not
// keep. After become() nothing privileged is left to do but the exec.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// Signal dispositions, signal mask and umask, as a program expects them.
void reset_inherited_state();
// A session keyring of the container's root, in place of the caller's.
Result<> take_own_keyring();

// Working directory, made where it is missing, and reached without leaving the root
// (CVE-2024-21626).
Result<> enter_working_directory(const Process& process);

// Ids, capabilities, parent-death signal, no_new_privs and seccomp, in this order. `creator`: the
// pidfd of who must outlive us; ECHILD when it is gone.
Result<> become(const Spec& spec, const Process& process, const Fd& creator, const Fd& channel);

// Lets only 0, 1, 2 and the channel survive; the channel becomes descriptor 3.
Result<Fd> keep_only_stdio(Fd channel);

// Execs as execvpe(3) would with the process's own PATH, or tells why not. Never returns.
[[noreturn]] void run_program(const Process& process, const Fd& channel);
// The same, as the child of a reaper that is pid 1 and ends as the program does (docker --init).
[[noreturn]] void run_under_init(const Process& process, Fd channel);

}  // namespace lyr::sandbox
