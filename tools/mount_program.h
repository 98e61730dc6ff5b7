// SPDX-License-Identifier: Apache-2.0
// The program under its other name: mount.fuse.lyr, called as mount(8) calls helpers and podman its
// mount_program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lyr::tools {

// Whether argv[0] says so.
bool is_mount_program(std::string_view program);
// Yields the exit code.
int mount_program(const std::vector<std::string>& args);

}  // namespace lyr::tools
