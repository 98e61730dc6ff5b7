// SPDX-License-Identifier: Apache-2.0
// What other processes read of ours in /proc: the command line that lyr was started with has the
// host's paths and other containers' names in it, which no container shall see.
#pragma once

namespace lyr::sandbox {

// Puts `name` (at most 15 bytes) in the place of the process's name and of its command line.
void rename_process(const char* name);

}  // namespace lyr::sandbox
