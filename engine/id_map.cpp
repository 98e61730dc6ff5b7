// SPDX-License-Identifier: Apache-2.0
#include "engine/id_map.h"

#include <cstdlib>
#include <string_view>

namespace lyr::engine {

Result<sandbox::ChosenIdMap> choose_map() {
  const char* single = ::getenv("LYR_SINGLE_ID");
  return sandbox::choose_id_map(single != nullptr && std::string_view(single) == "1");
}

}  // namespace lyr::engine
