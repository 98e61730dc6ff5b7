// SPDX-License-Identifier: Apache-2.0
// What follows -o, a line each: an error, or directories and ids that can be used.
#include "tools/mount_options.h"

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "unionfs/lower.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::tools;
  std::vector<std::string> texts(1);
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      texts.emplace_back();
    } else {
      texts.back() += static_cast<char>(data[i]);
    }
  }
  auto options = parse_mount_options(texts);
  if (!options) return 0;
  size_t count = options->lower.size() + options->data.size();
  CHECK(!options->lower.empty() && count <= lyr::unionfs::DirectoryStack::layers_max);
  for (const auto* paths : {&options->lower, &options->data}) {
    for (const std::string& path : *paths) CHECK(!path.empty() && !path.contains('\0'));
  }
  CHECK(options->upper.empty() == options->work.empty());
  for (uint32_t id : {0U, 1U, 65534U, UINT32_MAX - 1}) {
    auto on_disk = options->ids.user_on_disk(id);
    if (on_disk && *on_disk != lyr::unionfs::leave_id)
      CHECK(options->ids.users.empty() || *on_disk < UINT32_MAX);
  }
  return 0;
}
