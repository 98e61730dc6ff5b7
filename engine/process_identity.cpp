// SPDX-License-Identifier: Apache-2.0
#include "engine/process_identity.h"

#include <charconv>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::engine {
namespace {

Result<uint64_t> start_ticks(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/stat";
  std::string stat = TRY(sys::read_file_at(sys::cwd(), path.c_str()));
  // The second field is a name in parentheses that may hold anything; the 22nd follows the last
  // one.
  size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return fail(EUCLEAN, "stat", path);
  uint64_t ticks = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

Result<std::string> boot_id() {
  std::string id = TRY(sys::read_file_at(sys::cwd(), "/proc/sys/kernel/random/boot_id"));
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

}  // namespace

Result<ProcessIdentity> identify(pid_t pid) {
  ProcessIdentity identity;
  identity.pid = pid;
  identity.start_ticks = TRY(start_ticks(pid));
  identity.boot_id = TRY(boot_id());
  return identity;
}

Result<std::optional<Fd>> find_process(const ProcessIdentity& identity) {
  if (identity.pid <= 0) return std::nullopt;
  auto pidfd = sys::pidfd_open(identity.pid);
  if (!pidfd) return std::nullopt;
  // With the descriptor held, what /proc says of the pid is of this very process, or of none.
  auto now = identify(identity.pid);
  if (!now || now->start_ticks != identity.start_ticks || now->boot_id != identity.boot_id) {
    return std::nullopt;
  }
  bool ended = TRY(sys::pidfd_ended(*pidfd));
  if (ended) return std::nullopt;
  return std::move(*pidfd);
}

}  // namespace lyr::engine
