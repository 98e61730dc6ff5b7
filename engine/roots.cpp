// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

#include "engine/engine.h"

namespace lyr::engine {
namespace {

std::string variable(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> home() {
  std::string home = variable("HOME");
  if (!home.starts_with('/')) {
    return fail_saying(
        ENOENT, "where to keep images? Set HOME, XDG_DATA_HOME or LYR_ROOT to an absolute path");
  }
  return home;
}

}  // namespace

Result<Roots> default_roots() {
  Roots roots{variable("LYR_ROOT"), variable("LYR_RUN_ROOT")};
  bool root = ::geteuid() == 0;
  if (roots.root.empty()) {
    std::string data = variable("XDG_DATA_HOME");
    if (root) {
      roots.root = "/var/lib/lyr";
    } else if (data.starts_with('/')) {
      roots.root = data + "/lyr";
    } else {
      roots.root = TRY(home())
      +"/.local/share/lyr";
    }
  }
  if (roots.run_root.empty()) {
    std::string runtime = variable("XDG_RUNTIME_DIR");
    if (root) {
      roots.run_root = "/run/lyr";
    } else if (runtime.starts_with('/') && ::access(runtime.c_str(), W_OK) == 0) {
      roots.run_root = runtime + "/lyr";
    } else {
      // No runtime directory (no login session): beside the data. Locks and boot ids tell what is
      // stale there.
      roots.run_root = roots.root + "/run";
    }
  }
  return roots;
}

std::string_view status_name(Status status) {
  switch (status) {
    case Status::created:
      return "created";
    case Status::running:
      return "running";
    case Status::exited:
      return "exited";
    case Status::dead:
      return "dead";
  }
  return "dead";
}

}  // namespace lyr::engine
