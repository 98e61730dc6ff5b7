// SPDX-License-Identifier: Apache-2.0
// The same tests as root of a user namespace, whose ids are others to the host, as those of a
// rootless container: the union mounted there, and overlayfs with `user.` marks over an image that
// is. This program runs itself there.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr uid_t first_host_id = 100'000;
constexpr char map[] = "0 100000 65536";

struct Suite {
  const char* name;
  const char* filter;  // GoogleTest's
};

class UserNamespace : public testing::TestWithParam<Suite> {
 protected:
  UserNamespace()
      : base_(fs::temp_directory_path() / ("lyr-user-namespace." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_);
    CHECK(chown(base_.c_str(), first_host_id, first_host_id) == 0);
    CHECK(chmod("/dev/fuse", 0666) == 0);  // as every desktop and server distribution has it
  }
  ~UserNamespace() override { fs::remove_all(base_); }

  // This program with such tests alone, in the namespace; what it said.
  std::string run_within(const std::string& filter, int& status);

  std::string base_;

 private:
  [[noreturn]] void become_within(const std::string& filter, const Fd& mapped, const Fd& said);
};

void UserNamespace::become_within(const std::string& filter, const Fd& mapped, const Fd& said) {
  char none = 0;
  CHECK(read(mapped.get(), &none, 1) == 0);
  CHECK(sys::set_groups({}) && sys::set_gids(0) && sys::set_uids(0));
  CHECK(sys::prctl(PR_SET_PDEATHSIG, SIGKILL));
  for (int out : {STDOUT_FILENO, STDERR_FILENO}) CHECK(sys::dup_to(said, out));
  setenv("TMPDIR", base_.c_str(), 1);
  std::vector<std::string> environment;
  for (char** one = environ; *one != nullptr; ++one) environment.emplace_back(*one);
  std::vector<std::string> arguments{"unionfs_test", "--gtest_filter=" + filter};
  std::fprintf(stderr, "%s\n",
               describe(sys::execve("/proc/self/exe", arguments, environment)).c_str());
  _exit(127);
}

std::string UserNamespace::run_within(const std::string& filter, int& status) {
  auto mapped = sys::pipe();
  auto said = sys::pipe();
  auto child = sys::clone_process(CLONE_NEWUSER | CLONE_NEWNS);
  CHECK(mapped && said && child);
  if (child->pid == 0) {
    mapped->write.reset();
    become_within(filter, mapped->read, said->write);
  }
  for (const char* kind : {"/uid_map", "/gid_map"}) {
    std::string path = "/proc/" + std::to_string(child->pid) + kind;
    auto file = sys::open(path.c_str(), O_WRONLY);
    CHECK(file && sys::write_all(*file, map));
  }
  mapped->write.reset();
  said->write.reset();
  std::string text;
  char piece[4096];
  for (ssize_t length; (length = read(said->read.get(), piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<size_t>(length));
    static_cast<void>(sys::write_all(sys::standard_output(), text.substr(text.size() - length)));
  }
  auto ending = sys::wait_pidfd(child->pidfd);
  CHECK(ending && *ending);
  status = (*ending)->shell_code();
  return text;
}

TEST_P(UserNamespace, PassesTheSameTests) {
  can_be_had(Below::io_uring);  // the host's root allows it
  int status = -1;
  std::string said = run_within(GetParam().filter, status);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(said.contains("[  PASSED  ]") && !said.contains("[  PASSED  ] 0 tests"));
  if (said.contains("[  SKIPPED ]")) GTEST_SKIP() << "some of them";
}

constexpr Suite suites[] = {
    // With five seeds where most is different: marks over a tree, and hybrid mode.
    {"Differential", "Lower/Differential.*-*.FixedSeeds/Directories:*.FixedSeeds/IoUring"},
    // Trusted attributes are the host's, and a copied link keeps its number until the next mount.
    {"Posix", "Lower/*Posix.*-*.OthersAreNotToldOfTrustedAttributes/*:*.ALinkKeepsItsNumber/*"},
    // A user's overlayfs renames no directory of the image.
    {"Semantics", "Lower/*Semantics.*-*.ContainersOfOneImageDoNotSeeEachOther/Overlayfs"},
    {"Descriptors", "Lower/*Descriptors.*"},
    {"Locks", "Lower/*Locks.*"},
    {"Listing", "Lower/Listing.*"},
    {"CopyUp", "Lower/CopyUp.*"},
    {"VastFile", "Lower/VastFile.*"},
    {"Acls", "Lower/Acls*"},
    {"FullDisk", "Lower/FullDisk.*"},
    {"Concurrency", "Lower/Concurrency.*"},
    {"LostServer", "Lower/LostServer.*"},
    // Passthrough takes the host's root.
    {"KilledServer", "KilledServer.*-*Passthrough"},
    // It renames no directory of the image, and what the kernel writes back by itself has about its
    // time.
    {"Survival", "Survival.*-*.Passthrough:*.UnderOverlayfs:*.WritesBackByTwoThreads"},
};
INSTANTIATE_TEST_SUITE_P(Suites, UserNamespace, testing::ValuesIn(suites),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace lyr::unionfs
