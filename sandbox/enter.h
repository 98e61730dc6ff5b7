// SPDX-License-Identifier: Apache-2.0
// The container's first process, from its birth in new namespaces to its exec. The order of the
// steps is the security argument.
#pragma once

#include "sandbox/preparation.h"

namespace lyr::sandbox {

[[noreturn]] void enter(const Spec& spec, Preparation preparation, Fd channel);

}  // namespace lyr::sandbox
