// SPDX-License-Identifier: Apache-2.0
// A terminal of the container's own devpts. The slave is got from its master, never by a name that
// an image could have replaced (CVE-2025-52565).
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sandbox {

struct Terminal {
  Fd master;
  Fd slave;
};
// `pts`: the container's devpts.
Result<Terminal> open_terminal(const Fd& pts, uid_t owner);
// /dev/console of the container, `dev` being its /dev.
Result<> bind_console(const Fd& dev, const Fd& slave);
// Makes it the controlling terminal of our (new) session, and descriptors 0, 1 and 2.
Result<> take_terminal(const Fd& slave);

}  // namespace lyr::sandbox
