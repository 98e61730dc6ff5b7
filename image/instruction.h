// SPDX-License-Identifier: Apache-2.0
// Instructions of a Dockerfile that change an image's config alone, as `commit --change` takes
// them (Dockerfile reference).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/config.h"

namespace lyr::image {

// A config on its way, and what instructions before the next one have done.
struct ConfigChange {
  Config config;
  std::vector<std::string> on_build;
  bool has_command = false;  // a CMD was among them: an ENTRYPOINT leaves it
};

// "CMD ["sh"]", "ENV A=1 B=2", ... EINVAL says what is wrong with it. $NAME is the value that the
// config's environment has for NAME.
Result<> apply_instruction(std::string_view text, ConfigChange& change);

}  // namespace lyr::image
