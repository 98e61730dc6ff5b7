// SPDX-License-Identifier: Apache-2.0
// Takes requests from a FUSE session and has them answered, by a fixed number of threads.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/unionfs.h"

struct fuse_session;

namespace lyr::unionfs {

// Blocks until the session is unmounted or aborted. `counts` may be null. Every request read from
// the device is counted before it is answered, those that libfuse answers by itself among them.
// `device`: the one the session reads. A single thread looks for requests before it sleeps, see
// unionfs/busy_wait.h.
Result<> loop(struct fuse_session* session, const Fd& device, int threads, RequestCounts* counts);

}  // namespace lyr::unionfs
