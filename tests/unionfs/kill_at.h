// SPDX-License-Identifier: Apache-2.0
// A server is killed at one of its system calls that change something, before it or after it.
#pragma once

#include <sys/types.h>

#include "base/fd.h"

namespace lyr::unionfs {

// Lets the server go on until the `point`th stop of its threads at such a call and kills it there.
// False: the client had ended by then. `client` is a child of ours that begins when `go` is closed,
// and ends with 0.
bool kill_at(int point, pid_t server, pid_t client, Fd go);

}  // namespace lyr::unionfs
