// SPDX-License-Identifier: Apache-2.0
// Capability names and the sets a process gets: exactly what was asked for, with nothing
// inheritable and nothing ambient (CVE-2022-24769).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lyr::sandbox {

constexpr uint64_t capability_bit(int capability) { return uint64_t{1} << capability; }

// Bit N for capability N. EINVAL names what is no capability.
Result<uint64_t> capability_set(const std::vector<std::string>& names);
// All that this program knows, in kernel order: "CAP_CHOWN", ...
const std::vector<std::string>& all_capabilities();

// Takes all but `set` from the bounding set, and clears the ambient set. Needs CAP_SETPCAP.
Result<> bound_capabilities(uint64_t set);

}  // namespace lyr::sandbox
