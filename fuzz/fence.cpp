// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fence.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "base/sys_file.h"

namespace lyr::fuzz {
namespace {

constexpr uint64_t reading =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t all_access = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // of the first version
constexpr uint64_t moving = LANDLOCK_ACCESS_FS_REFER;                    // since the second

void allow(int rules, const Fd& what, uint64_t access) {
  struct landlock_path_beneath_attr below{.allowed_access = access, .parent_fd = what.get()};
  CHECK(::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0);
}

// Where libFuzzer keeps a finding, which it does on the thread that made it.
std::string findings_directory() {
  constexpr std::string_view flag = "-artifact_prefix=";
  auto arguments = sys::read_file_at(sys::cwd(), "/proc/self/cmdline");
  std::string_view rest = arguments ? std::string_view(*arguments) : "";
  size_t at = rest.find(flag);
  if (at == std::string_view::npos) return ".";
  rest.remove_prefix(at + flag.size());
  std::string_view prefix = rest.substr(0, rest.find('\0'));
  size_t slash = prefix.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(prefix.substr(0, slash + 1));
}

void fence_in(const Fd& directory) {
  long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (version < 2) return;
  struct landlock_ruleset_attr attr{.handled_access_fs = all_access | moving};
  auto rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0));
  CHECK(rules >= 0);
  allow(rules, directory, all_access | moving);
  for (const char* path : {"/usr", "/lib", "/lib64", "/proc", "/sys", "/dev"}) {
    auto opened = sys::open(path, O_PATH | O_DIRECTORY);
    if (opened) allow(rules, *opened, reading);
  }
  auto program = sys::open("/proc/self/exe", O_PATH);
  if (program) allow(rules, *program, LANDLOCK_ACCESS_FS_READ_FILE);
  auto findings = sys::open(findings_directory().c_str(), O_PATH | O_DIRECTORY);
  constexpr uint64_t keeping = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_WRITE_FILE;
  if (findings) allow(rules, *findings, keeping);
  CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(::syscall(SYS_landlock_restrict_self, rules, 0) == 0);
  CHECK(::close(rules) == 0);
}

}  // namespace

Fence::Fence(const Fd& directory) : thread_([&] { serve(directory); }) {}

Fence::~Fence() {
  {
    std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Fence::run(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(lock, [&] { return work_ == nullptr; });
}

void Fence::serve(const Fd& directory) {
  fence_in(directory);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ended_ || work_ != nullptr; });
    if (ended_) return;
    (*work_)();
    work_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace lyr::fuzz
