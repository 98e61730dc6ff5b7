// SPDX-License-Identifier: Apache-2.0
// Named Unix sockets below a directory descriptor, whatever the length of its path.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

// A listening stream socket `name` in `dir`, non-blocking, mode 0600. What had the name is removed
// first.
Result<Fd> listen_unix(const Fd& dir, const char* name);
// `wait`: until there is room in the listener's queue; else EAGAIN.
Result<Fd> connect_unix(const Fd& dir, const char* name, bool wait = true);
// EAGAIN: nobody waits.
Result<Fd> accept_unix(const Fd& listener);
// SO_PEERCRED: who connected.
Result<uid_t> peer_uid(const Fd& socket);

}  // namespace lyr::sys
