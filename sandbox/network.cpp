// SPDX-License-Identifier: Apache-2.0
#include "sandbox/network.h"

#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "sandbox/channel.h"
#include "sandbox/id_map.h"

namespace lyr::sandbox {
namespace {

// Those that belong to the IPC and network namespaces; any other would be the host's.
constexpr std::string_view ipc_prefixes[] = {"kernel.msg", "kernel.sem", "kernel.shm",
                                             "fs.mqueue."};

bool is_namespaced(const Spec& spec, std::string_view name) {
  if (name.starts_with("net.")) return spec.new_network;
  return std::any_of(std::begin(ipc_prefixes), std::end(ipc_prefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

Result<> write_one(const Fd& proc, std::string name, std::string_view value) {
  std::replace(name.begin(), name.end(), '.', '/');
  Fd file = TRY(sys::open_beneath(proc, ("sys/" + name).c_str(), O_WRONLY | O_NOFOLLOW));
  return sys::write_all(file, value);
}

}  // namespace

Result<> bring_loopback_up() {
  Fd socket = TRY(sys::socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return sys::ioctl(socket, SIOCSIFFLAGS, reinterpret_cast<uintptr_t>(&request), "SIOCSIFFLAGS");
}

Result<> write_sysctls(const Spec& spec, const Fd& proc, const Fd& channel) {
  if (!proc) return {};
  if (spec.new_network) {
    // As Docker: the namespace is the container's, so its ports and its pings are.
    std::string last = std::to_string(mapped_from_zero(spec.id_map.gids) - 1);
    static_cast<void>(write_one(proc, "net.ipv4.ping_group_range", "0 " + last));
    static_cast<void>(write_one(proc, "net.ipv4.ip_unprivileged_port_start", "0"));
  }
  for (const auto& [name, value] : spec.sysctl) {
    if (!is_namespaced(spec, name))
      return fail_saying(EINVAL, "sysctl " + name +
                                     " is not the container's own: it is the "
                                     "host's, or its namespace is");
    auto written = write_one(proc, name, value);
    if (!written)
      TRY(tell(channel, Step::warning, 0, "sysctl " + name + ": " + describe(written.error())));
  }
  return {};
}

}  // namespace lyr::sandbox
