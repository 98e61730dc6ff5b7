// SPDX-License-Identifier: Apache-2.0
#include "unionfs/keeper.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <deque>
#include <set>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::unionfs {
namespace {

Result<std::set<int>> open_descriptors() {
  std::set<int> numbers;
  Fd list = TRY(sys::open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  TRY(sys::read_directory(list, [&](const sys::DirectoryEntry& entry) {
    numbers.insert(std::atoi(std::string(entry.name).c_str()));
    return true;
  }));
  numbers.erase(list.get());
  return numbers;
}

// What a server that is dead had open, but for what it hands down.
Result<> close_strays(std::set<int> kept, const Ledger& ledger) {
  for (size_t i = 0; i < Ledger::handed_max; ++i) kept.insert(ledger.handed(i));
  for (Ledger::Row row = 1; row <= ledger.rows_used(); ++row) {
    auto inode = ledger.kept(row);
    if (inode) kept.insert(inode->held);
  }
  auto open = TRY(open_descriptors());
  for (int number : open) {
    if (!kept.contains(number)) Fd(number).reset();
  }
  return {};
}

// How it ended.
Result<sys::Ending> serve_in_child(const std::function<Result<>(Ledger&)>& serve, Ledger& ledger) {
  pid_t keeper = ::getpid();
  auto child = TRY(sys::clone_process(CLONE_FILES));
  if (child.pid == 0) {
    auto bound = sys::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!bound || ::getppid() != keeper) ::_exit(ESRCH);
    auto ended = serve(ledger);
    ::_exit(ended ? 0 : ended.error().code);
  }
  auto ending = TRY(sys::wait_pidfd(child.pidfd));
  return *ending;
}

class Deaths {
 public:
  explicit Deaths(const Patience& patience) : patience_(patience) {}
  // False: too many.
  bool add(int64_t now_ms) {
    at_ms_.push_back(now_ms);
    if (at_ms_.size() <= patience_.deaths) return true;
    int64_t first = at_ms_.front();
    at_ms_.pop_front();
    return now_ms - first > patience_.within_ms;
  }

 private:
  Patience patience_;
  std::deque<int64_t> at_ms_;
};

}  // namespace

Result<> keep_serving(const std::function<Result<>(Ledger&)>& serve, const Patience& patience) {
  Ledger ledger = TRY(Ledger::make());
  auto kept = TRY(open_descriptors());
  Deaths deaths(patience);
  for (;;) {
    auto ending = TRY(serve_in_child(serve, ledger));
    if (!ending.signaled) return ending.value == 0 ? Result<>() : fail(ending.value, "server");
    if (!deaths.add(sys::now_monotonic_ms())) return fail(ends_again, "server");
    TRY(close_strays(kept, ledger));
    ledger.mark_resumed();
  }
}

}  // namespace lyr::unionfs
