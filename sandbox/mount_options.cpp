// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mount_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace lyr::sandbox {
namespace {

struct AttributeName {
  std::string_view name;
  uint64_t set;
  uint64_t clear;
};

// MOUNT_ATTR__ATIME is a field of three values, so changing it clears all of it first.
constexpr AttributeName attribute_names[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

struct PropagationName {
  std::string_view name;
  uint64_t type;
};

constexpr PropagationName propagation_names[] = {
    {"private", MS_PRIVATE}, {"rprivate", MS_PRIVATE}, {"slave", MS_SLAVE}, {"rslave", MS_SLAVE}};

// Words of other runtimes that mean nothing here: SELinux labels, and the default.
constexpr std::string_view ignored_names[] = {"", "defaults", "z", "Z", "nocopy", "copy"};

bool take_switch(std::string_view option, MountOptions& parsed) {
  if (option == "bind" || option == "rbind") {
    parsed.bind = true;
    parsed.recursive = option == "rbind";
    return true;
  }
  if (option == "idmap" || option == "ridmap" || option == "noidmap") {
    parsed.idmap = option != "noidmap";
    return true;
  }
  return std::find(std::begin(ignored_names), std::end(ignored_names), option) !=
         std::end(ignored_names);
}

}  // namespace

Result<MountOptions> parse_mount_options(const std::vector<std::string>& options) {
  MountOptions parsed;
  for (const std::string& option : options) {
    if (take_switch(option, parsed)) continue;
    auto attribute = std::find_if(std::begin(attribute_names), std::end(attribute_names),
                                  [&](const auto& known) { return known.name == option; });
    if (attribute != std::end(attribute_names)) {
      parsed.set = (parsed.set & ~attribute->clear) | attribute->set;
      parsed.clear = (parsed.clear & ~attribute->set) | attribute->clear;
      continue;
    }
    auto propagation = std::find_if(std::begin(propagation_names), std::end(propagation_names),
                                    [&](const auto& known) { return known.name == option; });
    if (propagation != std::end(propagation_names)) {
      parsed.propagation = propagation->type;
      continue;
    }
    if (option == "shared" || option == "rshared") {
      return fail_saying(EINVAL, "mount option " + option +
                                     ": a container's mounts never leave it; use rslave to see "
                                     "the host's");
    }
    size_t equals = option.find('=');
    if (equals == option.npos) {
      parsed.parameters.emplace_back(option, "");
    } else {
      parsed.parameters.emplace_back(option.substr(0, equals), option.substr(equals + 1));
    }
  }
  return parsed;
}

}  // namespace lyr::sandbox
