// SPDX-License-Identifier: Apache-2.0
#include "sandbox/dev.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <string>

#include "base/sys_file.h"
#include "base/sys_mount.h"

namespace lyr::sandbox {
namespace {

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};

constexpr Device devices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                              {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

struct Link {
  const char* name;
  const char* target;
};

constexpr Link links[] = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
                          {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
                          {"core", "/proc/kcore"},       {"ptmx", "pts/ptmx"}};

Result<Fd> bind_host_device(const Device& device) {
  std::string path = std::string("/dev/") + device.name;
  Fd pinned = TRY(about(sys::open(path.c_str(), O_PATH | O_NOFOLLOW), path));
  auto status = TRY(sys::stat(pinned));
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(device.major, device.minor))
    return fail_saying(ENODEV, "the host's " + path + " is not the device it should be");
  return about(sys::open_tree(pinned, "", OPEN_TREE_CLONE | AT_EMPTY_PATH), path);
}

}  // namespace

Result<Fd> bind_host_null() { return bind_host_device(devices[0]); }

Result<> populate_dev(const Fd& dev) {
  for (const Device& device : devices) {
    Fd tree = TRY(bind_host_device(device));
    int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
    TRY(about(sys::open_at(dev, device.name, flags, 0666), device.name));
    Fd target = TRY(sys::open_at(dev, device.name, O_PATH | O_NOFOLLOW));
    TRY(about(sys::move_mount(tree, target), device.name));
  }
  for (const Link& link : links)
    TRY(about(sys::symlink_at(link.target, dev, link.name), link.name));
  return {};
}

}  // namespace lyr::sandbox
