// SPDX-License-Identifier: Apache-2.0
// The stages of an import, each run alone.
#pragma once

#include <string>

namespace lyr::bench {

// Prints a line for each, for the first layer of the archive's first image. `directory`: empty, on
// the disk to measure.
void show_stages(const char* archive, const std::string& directory, int times);

}  // namespace lyr::bench
