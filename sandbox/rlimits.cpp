// SPDX-License-Identifier: Apache-2.0
#include "sandbox/rlimits.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/sys_process.h"

namespace lyr::sandbox {
namespace {

struct Resource {
  std::string_view name;
  int number;
};

constexpr Resource resources[] = {{"RLIMIT_AS", RLIMIT_AS},
                                  {"RLIMIT_CORE", RLIMIT_CORE},
                                  {"RLIMIT_CPU", RLIMIT_CPU},
                                  {"RLIMIT_DATA", RLIMIT_DATA},
                                  {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                                  {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                                  {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                  {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                  {"RLIMIT_NICE", RLIMIT_NICE},
                                  {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                                  {"RLIMIT_NPROC", RLIMIT_NPROC},
                                  {"RLIMIT_RSS", RLIMIT_RSS},
                                  {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                  {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                                  {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                  {"RLIMIT_STACK", RLIMIT_STACK}};

}  // namespace

std::vector<std::string> set_rlimits(pid_t pid, const std::vector<Rlimit>& limits) {
  std::vector<std::string> warnings;
  for (const Rlimit& limit : limits) {
    auto known =
        std::find_if(std::begin(resources), std::end(resources),
                     [&](const Resource& resource) { return resource.name == limit.type; });
    if (known == std::end(resources)) {
      warnings.push_back(limit.type + " is no resource limit of Linux");
      continue;
    }
    auto set = sys::set_rlimit_of(pid, known->number, {limit.soft, limit.hard});
    if (!set)
      warnings.push_back(limit.type + " stays as it is: " + describe(set.error()) +
                         (set.error().code == EPERM ? " (raising a hard limit needs root)" : ""));
  }
  return warnings;
}

}  // namespace lyr::sandbox
