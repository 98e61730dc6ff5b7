// SPDX-License-Identifier: Apache-2.0
// The container's /dev: a tmpfs of ours with the host's harmless devices bound in, each checked to
// be the device it is called (CVE-2025-31133).
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sandbox {

// `dev`: the mounted tmpfs. Runs while the host's /dev is in reach.
Result<> populate_dev(const Fd& dev);
// A detached mount of the host's /dev/null.
Result<Fd> bind_host_null();

}  // namespace lyr::sandbox
