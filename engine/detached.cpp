// SPDX-License-Identifier: Apache-2.0
#include "engine/detached.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::engine {
namespace {

// Everything that is open but what we were given: nothing of the caller's may stay open as long as
// we live.
Result<> close_all_but(std::vector<int> kept) {
  std::vector<int> open;
  Fd list = TRY(sys::open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  TRY(sys::read_directory(list, [&](const sys::DirectoryEntry& entry) {
    open.push_back(std::atoi(std::string(entry.name).c_str()));
    return true;
  }));
  kept.push_back(list.get());
  for (int number : open) {
    if (number > 2 && std::ranges::find(kept, number) == kept.end()) Fd(number).reset();
  }
  return {};
}

Result<> redirect_standard_streams() {
  Fd null = TRY(sys::open("/dev/null", O_RDWR));
  for (int number : {0, 1, 2}) TRY(sys::dup_to(null, number));
  return {};
}

}  // namespace

Result<> fork_detached(std::vector<int> kept, const std::function<void()>& body) {
  auto between = TRY(sys::clone_process());
  if (between.pid != 0) {
    auto ending = TRY(sys::wait_pidfd(between.pidfd));
    bool done = ending && !ending->signaled && ending->value == 0;
    return done ? Result<>() : fail(EAGAIN, "make a process");
  }
  // In the child. A second fork, so that the process is nobody's child here and leads no session.
  static_cast<void>(sys::new_session_id());
  auto detached = sys::clone_process();
  if (!detached || detached->pid != 0) ::_exit(detached ? 0 : 1);
  auto ready = close_all_but(std::move(kept));
  if (ready) ready = redirect_standard_streams();
  if (ready) ready = sys::chdir("/");
  if (!ready) ::_exit(1);
  body();
  ::_exit(0);
}

void stay_alive() {
  static_cast<void>(sys::prctl(PR_SET_IO_FLUSHER, 1));
  auto score = sys::open("/proc/self/oom_score_adj", O_WRONLY);
  if (score) static_cast<void>(sys::write_all(*score, std::string_view("-900")));
}

}  // namespace lyr::engine
