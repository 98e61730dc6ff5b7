// SPDX-License-Identifier: Apache-2.0
#include "sandbox/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"

namespace lyr::sandbox {

Result<Terminal> open_terminal(const Fd& pts, uid_t owner) {
  Terminal terminal;
  terminal.master = TRY(sys::open_at(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW));
  int locked = 0;
  TRY(sys::ioctl(terminal.master, TIOCSPTLCK, reinterpret_cast<uintptr_t>(&locked), "TIOCSPTLCK"));
  terminal.slave =
      TRY(sys::ioctl_fd(terminal.master, TIOCGPTPEER,
                        static_cast<unsigned long>(O_RDWR | O_NOCTTY | O_CLOEXEC), "TIOCGPTPEER"));
  if (owner != 0) TRY(sys::chown(terminal.slave, owner, static_cast<gid_t>(-1)));
  return terminal;
}

Result<> bind_console(const Fd& dev, const Fd& slave) {
  TRY(sys::open_at(dev, "console", O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0600));
  Fd target = TRY(sys::open_at(dev, "console", O_PATH | O_NOFOLLOW));
  Fd tree = TRY(sys::open_tree(slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  return sys::move_mount(tree, target);
}

Result<> take_terminal(const Fd& slave) {
  TRY(sys::ioctl(slave, TIOCSCTTY, 0, "TIOCSCTTY"));
  for (int number : {0, 1, 2}) TRY(sys::dup_to(slave, number));
  return {};
}

}  // namespace lyr::sandbox
