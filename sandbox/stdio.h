// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2 of a program.
#pragma once

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace lyr::sandbox {

// Gives pipes and sockets to `uid`:`gid`, so that the program may open /dev/stdout and the like by
// name. What cannot be given is left as it is.
void own_stdio(const Stdio& stdio, uid_t uid, gid_t gid);

// Moves a descriptor out of the way of 0, 1, 2 and the channel's number.
Result<> move_up(Fd& fd);
// Puts the three in place; they must have been moved up.
Result<> install_stdio(const Stdio& stdio);

}  // namespace lyr::sandbox
