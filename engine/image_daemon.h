// SPDX-License-Identifier: Apache-2.0
// The process behind a shared image (shared_image.h): it holds the mount and is the parent of the
// server's keeper. Nobody's child, and in ps `lyr-image`.
#pragma once

#include <string>

#include "base/fd.h"
#include "engine/shared_image.h"

namespace lyr::engine {

// In the daemon, to its end. `listener` has the name `socket`. Who forked it holds the sockets'
// lock until it is connected.
void run_image_daemon(const ImageKey& key, const std::string& socket, Fd listener);

}  // namespace lyr::engine
