// SPDX-License-Identifier: Apache-2.0
// Keeps a union's server alive: where it is killed another one takes over, and the kernel sends
// again what was not answered (FUSE_NOTIFY_RESEND, Linux 6.9). The keeper has the same descriptor
// table as the server, so that the connection, and files that are open but have no name, outlive
// it.
#pragma once

#include <functional>

#include "base/result.h"
#include "unionfs/ledger.h"

namespace lyr::unionfs {

// What keep_serving() and the server in it end with when nobody can take over.
constexpr int cannot_resume = ENOTRECOVERABLE;  // the kernel is too old, or the ledger was full
constexpr int ends_again = EHOSTDOWN;           // it was killed too often in a short time

// A server that ends by itself on the same request each time is not worth waiting for.
struct Patience {
  size_t deaths = 64;
  int64_t within_ms = 10'000;
};

// Runs `serve` in a child, and again in another one as often as that is killed by a signal, until
// it returns. Blocks. Only from a single-threaded process, whose children end with it; what
// descriptors it has open `serve` must leave open.
Result<> keep_serving(const std::function<Result<>(Ledger&)>& serve,
                      const Patience& patience = Patience());

}  // namespace lyr::unionfs
