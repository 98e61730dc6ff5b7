// SPDX-License-Identifier: Apache-2.0
// Volumes, tmpfs, and what is writable.
#include <fcntl.h>

#include "base/sys_file.h"
#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Mounts : public SandboxTest {
 protected:
  // A host directory with a file of the caller's, outside the root.
  std::string volume() {
    std::string path = directory() + "/volume";
    auto text = as_caller([&] {
      if (!sys::mkdir_at(sys::cwd(), path.c_str(), 0755)) return "FAILED";
      auto file = sys::open((path + "/file").c_str(), O_CREAT | O_WRONLY, 0600);
      return file && sys::write_all(*file, "kept") ? "" : "FAILED";
    });
    EXPECT_EQ(text, "");
    return path;
  }
};
LYR_IN_EACH_MODE(Mounts);

TEST_P(Mounts, VolumeBelongsToTheContainersRoot) {
  Spec container = spec();
  container.mounts.push_back({"/data", "bind", volume(), {"rbind"}});
  auto ran = shell(container,
                   "busybox stat -c %u:%g /data/file; busybox cat /data/file; "
                   "echo more >> /data/file; echo new > /data/new");
  EXPECT_EQ(ran.out, "0:0\nkept");
  EXPECT_EQ(ran.warnings, std::vector<std::string>());
  // And to the caller, on the host.
  EXPECT_EQ(read_text(directory() + "/volume/file"), "keptmore\n");
  auto old_file = sys::stat_at(sys::cwd(), (directory() + "/volume/file").c_str());
  auto new_file = sys::stat_at(sys::cwd(), (directory() + "/volume/new").c_str());
  ASSERT_TRUE(old_file && new_file);
  EXPECT_EQ(old_file->st_uid, new_file->st_uid);
}

TEST_P(Mounts, ReadOnlyVolumeStaysSo) {
  Spec container = spec();
  container.mounts.push_back({"/data", "bind", volume(), {"rbind", "ro"}});
  auto ran = shell(container,
                   "(echo x > /data/file) 2>/dev/null && echo wrote; (echo x > "
                   "/data/new) 2>/dev/null && echo made; busybox cat /data/file");
  EXPECT_EQ(ran.out, "kept");
}

TEST_P(Mounts, FileOnAFileThatIsMissing) {
  Spec container = spec();
  std::string path = volume() + "/file";
  container.mounts.push_back({"/etc/deep/er/file", "bind", path, {"bind"}});
  EXPECT_EQ(shell(container, "busybox cat /etc/deep/er/file").out, "kept");
}

TEST_P(Mounts, MissingSourceIsNamed) {
  Spec container = spec();
  container.mounts.push_back({"/data", "bind", "/not/on/this/host", {"rbind"}});
  auto ran = run([&] {
    container.process.args = {"/bin/busybox", "true"};
    return container;
  }());
  EXPECT_EQ(ran.error_code, ENOENT);
  EXPECT_NE(ran.error.find("/not/on/this/host"), std::string::npos) << ran.error;
}

TEST_P(Mounts, TmpfsHasItsSizeAndMode) {
  Spec container = spec();
  container.mounts.push_back(
      {"/scratch", "tmpfs", "tmpfs", {"nosuid", "nodev", "noexec", "size=1m", "mode=1770"}});
  auto ran = shell(container,
                   "busybox stat -c %a /scratch; busybox dd if=/dev/zero "
                   "of=/scratch/big bs=1M count=2 2>&1 | busybox grep -c 'No space'; "
                   "busybox cp /bin/busybox /scratch/b 2>/dev/null; : > /scratch/x; "
                   "busybox df -k /scratch | busybox awk 'END{print $2}'");
  EXPECT_EQ(ran.out, "1770\n1\n1024\n");
}

TEST_P(Mounts, ReadOnlyRootStillHasItsMounts) {
  Spec container = spec();
  container.root_read_only = true;
  container.mounts.push_back({"/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev"}});
  auto ran = shell(container,
                   "(: > /file) 2>/dev/null && echo wrote; : > /tmp/file && : > "
                   "/dev/shm/file && echo fine");
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.out, "fine\n");
}

TEST_P(Mounts, LaterOnesCoverEarlierOnes) {
  Spec container = spec();
  std::string path = volume();
  container.mounts.push_back({"/a", "tmpfs", "tmpfs", {}});
  container.mounts.push_back({"/a/b", "bind", path, {"rbind"}});
  EXPECT_EQ(shell(container, "busybox cat /a/b/file").out, "kept");
}

TEST_P(Mounts, NothingIsLeftOnTheHost) {
  std::string before = read_text("/proc/self/mountinfo");
  Spec container = spec();
  container.mounts.push_back({"/data", "bind", volume(), {"rbind"}});
  EXPECT_EQ(shell(container, "true").exit_code, 0);
  EXPECT_EQ(read_text("/proc/self/mountinfo"), before);
}

TEST_P(Mounts, SharedPropagationIsRefused) {
  Spec container = spec();
  container.mounts.push_back({"/data", "bind", volume(), {"rbind", "rshared"}});
  auto ran = shell(container, "true");
  EXPECT_EQ(ran.error_code, EINVAL);
  EXPECT_NE(ran.error.find("rshared"), std::string::npos) << ran.error;
}

TEST_P(Mounts, SetuidProgramsWork) {
  if (GetParam() == Mode::single) return;  // there is no other id to come from
  Spec container = spec();
  container.process.user = {1000, 1000, {}};
  auto prepare = shell("busybox cp /bin/probe /bin/as-root && busybox chmod 4755 /bin/as-root");
  ASSERT_EQ(prepare.exit_code, 0) << prepare.out;
  container.process.args = {"/bin/as-root", "uids"};
  EXPECT_EQ(run(container).out, "1000 0\n");
  container.process.no_new_privileges = true;
  EXPECT_EQ(run(container).out, "1000 1000\n");
}

}  // namespace
}  // namespace lyr::sandbox::testing
