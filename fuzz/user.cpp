// SPDX-License-Identifier: Apache-2.0
// A USER string and an image's passwd and group, separated by lines of "--": an error, or ids that
// the kernel takes.
#include "engine/user.h"

#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace {

std::string cut(std::string_view& text) {
  size_t end = text.find("\n--\n");
  std::string part(text.substr(0, end));
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 4);
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::engine;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string asked = cut(text);
  Accounts accounts;
  accounts.passwd = cut(text);
  accounts.group = text;
  auto user = resolve_user(asked, accounts);
  if (!user) return 0;
  CHECK(user->user.uid <= INT32_MAX && user->user.gid <= INT32_MAX);
  CHECK(user->user.additional_gids.size() <= 65536);
  CHECK(user->home.starts_with('/'));
  return 0;
}
