// SPDX-License-Identifier: Apache-2.0
#include "image/clean_path.h"

#include <algorithm>

namespace lyr::image {

std::string clean_path(std::string_view path) {
  std::string place;
  for (size_t from = 1; from <= path.size();) {
    size_t slash = std::min(path.find('/', from), path.size());
    std::string part(path.substr(from, slash - from));
    from = slash + 1;
    if (part == "..") {
      place.resize(place.empty() ? 0 : place.rfind('/'));
    } else if (!part.empty() && part != ".") {
      place += "/" + part;
    }
  }
  return place;
}

}  // namespace lyr::image
