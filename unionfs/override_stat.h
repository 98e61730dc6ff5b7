// SPDX-License-Identifier: Apache-2.0
// Owner and mode of a file as an attribute of it says, where its own are not ours to give: the
// "override_stat" attributes of fuse-overlayfs (its xattr_permissions) and containers/storage (its
// force_mask). The value is "UID:GID:MODE", the ids decimal, the mode octal. fuse-overlayfs may
// write type bits into it, containers/storage a type after it: the file's own type counts.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::unionfs {

// Only root of the host can write it.
constexpr const char* security_stat_name = "security.fuseoverlayfs.override_stat";
constexpr const char* containers_stat_name = "user.containers.override_stat";
constexpr const char* user_stat_name = "user.fuseoverlayfs.override_stat";

std::string override_text(uint32_t uid, uint32_t gid, uint32_t mode);

// Which of these attributes counts in a layer or an upper, if any does. Only regular files and
// directories have it: fuse-overlayfs reads it of no others, and a user's attributes they cannot
// have. Thread-safe.
class OverrideStat {
 public:
  // What every file has on disk whose mode is in the attribute, as fuse-overlayfs leaves it: so who
  // may do what is up to the attribute alone.
  static constexpr mode_t mode_on_disk = 0755;

  OverrideStat() = default;  // none
  explicit OverrideStat(const char* name) : name_(name) {}
  // The one that the root of a layer has.
  static Result<OverrideStat> of_layer(const Fd& root);

  bool present() const { return name_ != nullptr; }
  const char* name() const { return name_; }
  bool covers(mode_t mode) const { return present() && (S_ISREG(mode) || S_ISDIR(mode)); }

  struct Value {
    uint32_t uid = 0;
    uint32_t gid = 0;
    uint32_t mode = 0;  // without a type
  };
  // Of an object that covers() holds for; it may be O_PATH. None: it has no such attribute, or one
  // that says nothing.
  Result<std::optional<Value>> read(const Fd& object) const;
  // Puts into `status`, which is the object's own, what it is overridden with.
  Result<> apply(const Fd& object, struct stat& status) const;
  // Owner and permissions are those of `status`.
  Result<> write(const Fd& object, const struct stat& status) const;

 private:
  const char* name_ = nullptr;
};

}  // namespace lyr::unionfs
