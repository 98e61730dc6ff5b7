// SPDX-License-Identifier: Apache-2.0
#include "sandbox/id_map.h"

#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "sandbox/channel.h"

namespace lyr::sandbox {
namespace {

constexpr const char* program_directories[] = {"/usr/bin/", "/bin/", "/usr/local/bin/"};

std::string map_text(const std::vector<IdRange>& ranges) {
  std::string text;
  for (const IdRange& range : ranges) {
    text += std::to_string(range.container) + " " + std::to_string(range.host) + " " +
            std::to_string(range.count) + "\n";
  }
  return text;
}

Result<> write_proc(pid_t pid, const char* name, std::string_view text) {
  std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  Fd file = TRY(about(sys::open(path.c_str(), O_WRONLY), path));
  return about(sys::write_all(file, text), path);
}

// newuidmap PID container host count ...; it is setuid and checks /etc/subuid itself.
Result<sys::Child> start_map_program(const char* name, pid_t pid,
                                     const std::vector<IdRange>& ranges) {
  std::vector<std::string> args{name, std::to_string(pid)};
  for (const IdRange& range : ranges) {
    for (uint32_t number : {range.container, range.host, range.count})
      args.push_back(std::to_string(number));
  }
  return sys::spawn([&] {
    for (const char* directory : program_directories)
      static_cast<void>(sys::execve((std::string(directory) + name).c_str(), args, {}));
    return 127;
  });
}

Result<> end_map_program(const char* name, const sys::Child& child) {
  auto ending = TRY(sys::wait_pidfd(child.pidfd));
  if (ending && ending->shell_code() == 0) return {};
  return fail_saying(EPERM, std::string(name) +
                                " failed: is it setuid root, and do /etc/subuid and /etc/subgid "
                                "list this user?");
}

}  // namespace

bool is_privileged() {
  auto sets = sys::get_capabilities();
  if (!sets) return false;
  constexpr uint64_t wanted =
      uint64_t{1} << CAP_SETUID | uint64_t{1} << CAP_SETGID | uint64_t{1} << CAP_SYS_ADMIN;
  return (sets->effective & wanted) == wanted;
}

Result<> write_id_map(pid_t pid, const IdMap& map) {
  if (is_privileged()) {
    TRY(during("map user ids", write_proc(pid, "uid_map", map_text(map.uids))));
    return during("map group ids", write_proc(pid, "gid_map", map_text(map.gids)));
  }
  if (map.single) {
    // Without this the kernel refuses a gid map of our own making (CVE-2014-8989).
    TRY(during("map group ids", write_proc(pid, "setgroups", "deny")));
    TRY(during("map user ids", write_proc(pid, "uid_map", map_text(map.uids))));
    return during("map group ids", write_proc(pid, "gid_map", map_text(map.gids)));
  }
  auto uids = TRY(start_map_program("newuidmap", pid, map.uids));  // both at once: each is an exec
  auto gids = TRY(start_map_program("newgidmap", pid, map.gids));
  auto uids_ended = end_map_program("newuidmap", uids);
  TRY(end_map_program("newgidmap", gids));
  return uids_ended;
}

IdMap inside_of(const IdMap& map) {
  IdMap inside = map;
  for (auto* ranges : {&inside.uids, &inside.gids}) {
    for (IdRange& range : *ranges) range.host = range.container;
  }
  return inside;
}

Result<uint32_t> to_host_id(const std::vector<IdRange>& ranges, uint32_t id) {
  for (const IdRange& range : ranges) {
    if (id >= range.container && id - range.container < range.count)
      return range.host + (id - range.container);
  }
  return fail(EINVAL, "id map", std::to_string(id));
}

uint32_t mapped_from_zero(const std::vector<IdRange>& ranges) {
  uint64_t end = 0;
  for (bool grew = true; grew;) {
    grew = false;
    for (const IdRange& range : ranges) {
      if (range.container > end || uint64_t{range.container} + range.count <= end) continue;
      end = uint64_t{range.container} + range.count;
      grew = true;
    }
  }
  return static_cast<uint32_t>(std::min<uint64_t>(end, UINT32_MAX));
}

Failure explain_no_namespaces(const Error& error) {
  if (error.code == EPERM)
    return fail_saying(EPERM,
                       "user namespaces are refused here: check sysctl "
                       "kernel.unprivileged_userns_clone, "
                       "kernel.apparmor_restrict_unprivileged_userns and, in a container, its "
                       "seccomp profile");
  if (error.code == ENOSPC || error.code == EUSERS)
    return fail_saying(error.code, "no more namespaces: raise sysctl user.max_user_namespaces");
  return fail_saying(error.code, "make namespaces: " + describe(error));
}

}  // namespace lyr::sandbox
