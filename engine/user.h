// SPDX-License-Identifier: Apache-2.0
// Who a container's process is: docker's USER strings looked up in the image's own /etc/passwd and
// /etc/group, which are read through the image tree. What looks like a number is one, and never a
// name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/spec.h"
#include "store/store.h"

namespace lyr::engine {

struct ResolvedUser {
  sandbox::User user;
  std::string home = "/";
};

// The account files' text; empty when the image has none.
struct Accounts {
  std::string passwd;
  std::string group;
};
// Regular files only, at most account_bytes_max each; symlinks are followed inside the tree.
constexpr size_t account_bytes_max = 4 << 20;
Result<Accounts> read_accounts(const store::Store& store, const store::Tree& tree);

// `text`: "", "name", "uid", "name:group", "uid:gid". ENOENT: no such name; EINVAL: a number out of
// range.
Result<ResolvedUser> resolve_user(std::string_view text, const Accounts& accounts);

}  // namespace lyr::engine
