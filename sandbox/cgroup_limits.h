// SPDX-License-Identifier: Apache-2.0
// Limits as lines for cgroup files, in the forms of both versions.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

struct Limit {
  const char* what;        // for a person: "memory"
  const char* controller;  // "memory"
  std::string v1_file;
  std::string v1_value;
  std::string v2_file;
  std::string v2_value;
  bool optional = false;  // failing is not worth a warning (a swap limit without swap accounting)
};

std::vector<Limit> limits_of(const Resources& resources);
Result<> write_limit(const Fd& directory, const Limit& limit, bool unified);
// v2: hands the controllers we use down from `base` to base/lyr/<id>, as far as it is permitted.
void enable_controllers(const Fd& base);

}  // namespace lyr::sandbox
