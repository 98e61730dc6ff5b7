// SPDX-License-Identifier: Apache-2.0
// File flags (chattr): what immutable and append-only files and directories refuse is what they
// refuse on the kernel's overlayfs, beside which each step is tried. Needs root with
// CAP_LINUX_IMMUTABLE, and a file system with flags for temporary files.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <optional>

#include "base/fd.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

int done(int64_t result) { return result < 0 ? errno : 0; }
const char* name_of_error(int code) { return code == 0 ? "done" : strerrorname_np(code); }

Fd opened(const std::string& path, int flags) { return Fd(open(path.c_str(), flags)); }
int can_open(const std::string& path, int flags) { return opened(path, flags).valid() ? 0 : errno; }

// Of a file or directory; below 0: errno, negative.
int64_t flags_of(const std::string& path) {
  Fd file = opened(path, O_RDONLY | O_NONBLOCK);
  unsigned flags = 0;
  if (!file.valid() || ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return -errno;
  return flags;
}
constexpr unsigned protecting = FS_IMMUTABLE_FL | FS_APPEND_FL;

int set_flags(const Fd& file, unsigned change, unsigned to) {
  unsigned flags = 0;
  if (!file.valid() || ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return errno;
  flags = (flags & ~change) | to;
  return done(ioctl(file.get(), FS_IOC_SETFLAGS, &flags));
}
int set_flags(const std::string& path, unsigned change, unsigned to) {
  return set_flags(opened(path, O_RDONLY | O_NONBLOCK), change, to);
}

// The way of tools for XFS. A file system may have others of its own.
constexpr unsigned all_extended =
    FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND | FS_XFLAG_NODUMP | FS_XFLAG_NOATIME | FS_XFLAG_SYNC;
std::optional<struct fsxattr> extended_flags_of(const std::string& path) {
  Fd file = opened(path, O_RDONLY);
  struct fsxattr flags{};
  if (!file.valid() || ioctl(file.get(), FS_IOC_FSGETXATTR, &flags) != 0) return std::nullopt;
  return flags;
}
int set_extended_flags(const std::string& path, const struct fsxattr& flags) {
  Fd file = opened(path, O_RDONLY);
  return done(ioctl(file.get(), FS_IOC_FSSETXATTR, &flags));
}

// What is tried on an object: its path, and of a file a descriptor from before it had its flags.
struct Object {
  std::string path;
  const Fd& open;
  std::string sibling(const char* end) const { return path + end; }
};
using Actions = std::map<std::string, int (*)(const Object&)>;

int set_times(const std::string& path, long nsec_atime, long nsec_mtime) {
  struct timespec times[2] = {{1, nsec_atime}, {1, nsec_mtime}};
  return done(utimensat(AT_FDCWD, path.c_str(), times, 0));
}

const Actions on_files{
    {"read", [](const Object& it) { return can_open(it.path, O_RDONLY); }},
    {"open to write", [](const Object& it) { return can_open(it.path, O_WRONLY); }},
    {"open for both", [](const Object& it) { return can_open(it.path, O_RDWR); }},
    {"open to append", [](const Object& it) { return can_open(it.path, O_WRONLY | O_APPEND); }},
    {"open for both to append",
     [](const Object& it) { return can_open(it.path, O_RDWR | O_APPEND); }},
    {"open emptied", [](const Object& it) { return can_open(it.path, O_WRONLY | O_TRUNC); }},
    {"open emptied to append",
     [](const Object& it) { return can_open(it.path, O_WRONLY | O_APPEND | O_TRUNC); }},
    {"truncate", [](const Object& it) { return done(truncate(it.path.c_str(), 1)); }},
    {"ftruncate", [](const Object& it) { return done(ftruncate(it.open.get(), 1)); }},
    {"write", [](const Object& it) { return done(pwrite(it.open.get(), "x", 1, 0)); }},
    {"fallocate", [](const Object& it) { return done(fallocate(it.open.get(), 0, 0, 100'000)); }},
    {"fallocate further",
     [](const Object& it) {
       return done(fallocate(it.open.get(), FALLOC_FL_KEEP_SIZE, 0, 100'000));
     }},
    {"punch",
     [](const Object& it) {
       return done(fallocate(it.open.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
     }},
    {"copy_file_range",
     [](const Object& it) {
       Fd from = opened(it.sibling(".other"), O_RDONLY);
       return done(copy_file_range(from.get(), nullptr, it.open.get(), nullptr, 4, 0));
     }},
    {"link",
     [](const Object& it) { return done(link(it.path.c_str(), (it.path + ".l").c_str())); }},
    {"rename over",
     [](const Object& it) { return done(rename(it.sibling(".other").c_str(), it.path.c_str())); }},
    {"unlink", [](const Object& it) { return done(unlink(it.path.c_str())); }},
};

const Actions on_both{
    {"chmod", [](const Object& it) { return done(chmod(it.path.c_str(), 0700)); }},
    {"chown", [](const Object& it) { return done(chown(it.path.c_str(), 1, 1)); }},
    {"set times", [](const Object& it) { return set_times(it.path, 5, 5); }},
    {"set the access time", [](const Object& it) { return set_times(it.path, 5, UTIME_OMIT); }},
    {"set the modification time",
     [](const Object& it) { return set_times(it.path, UTIME_NOW, 5); }},
    {"touch", [](const Object& it) { return set_times(it.path, UTIME_NOW, UTIME_NOW); }},
    {"setxattr",
     [](const Object& it) { return done(setxattr(it.path.c_str(), "user.new", "1", 1, 0)); }},
    {"removexattr",
     [](const Object& it) { return done(removexattr(it.path.c_str(), "user.old")); }},
    {"getxattr",
     [](const Object& it) { return done(getxattr(it.path.c_str(), "user.old", nullptr, 0)); }},
    {"rename",
     [](const Object& it) { return done(rename(it.path.c_str(), (it.path + ".r").c_str())); }},
    {"exchange",
     [](const Object& it) {
       return done(renameat2(AT_FDCWD, it.path.c_str(), AT_FDCWD, it.sibling(".other").c_str(),
                             RENAME_EXCHANGE));
     }},
};

const Actions on_directories{
    {"list", [](const Object& it) { return can_open(it.path, O_RDONLY | O_DIRECTORY); }},
    {"create",
     [](const Object& it) {
       return Fd(open((it.path + "/n").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)).valid() ? 0
                                                                                            : errno;
     }},
    {"create what is there",
     [](const Object& it) {
       return Fd(open((it.path + "/f").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)).valid() ? 0
                                                                                            : errno;
     }},
    {"tmpfile",
     [](const Object& it) {
       return Fd(open(it.path.c_str(), O_TMPFILE | O_RDWR, 0644)).valid() ? 0 : errno;
     }},
    {"mkdir", [](const Object& it) { return done(mkdir((it.path + "/n").c_str(), 0755)); }},
    {"symlink", [](const Object& it) { return done(symlink("f", (it.path + "/n").c_str())); }},
    {"mkfifo", [](const Object& it) { return done(mkfifo((it.path + "/n").c_str(), 0644)); }},
    {"link into",
     [](const Object& it) {
       return done(link(it.sibling(".other").c_str(), (it.path + "/n").c_str()));
     }},
    {"rename into",
     [](const Object& it) {
       return done(rename(it.sibling(".other").c_str(), (it.path + "/n").c_str()));
     }},
    {"rename over one",
     [](const Object& it) {
       return done(rename(it.sibling(".other").c_str(), (it.path + "/f").c_str()));
     }},
    {"rename within",
     [](const Object& it) {
       return done(rename((it.path + "/f").c_str(), (it.path + "/g").c_str()));
     }},
    {"rename out of",
     [](const Object& it) {
       return done(rename((it.path + "/f").c_str(), it.sibling(".out").c_str()));
     }},
    {"unlink in", [](const Object& it) { return done(unlink((it.path + "/f").c_str())); }},
    {"write in", [](const Object& it) { return can_open(it.path + "/f", O_WRONLY); }},
    {"rmdir when it is full", [](const Object& it) { return done(rmdir(it.path.c_str())); }},
};

std::string place_of(const std::string& action, unsigned flags) {
  std::string place = "/" + std::to_string(flags) + "." + action;
  std::ranges::replace(place, ' ', '_');
  return place;
}

constexpr unsigned flags_tried[] = {0, FS_IMMUTABLE_FL, FS_APPEND_FL, protecting};

// Each action has a file, or a directory with one, and a file beside it.
void plant_objects(const std::string& root) {
  for (unsigned flags : flags_tried) {
    for (const Actions* actions : {&on_files, &on_both, &on_directories}) {
      for (const auto& [action, _] : *actions) {
        std::string path = root + place_of(action, flags);
        fs::create_directories(path + ".d");
        std::vector<std::string> files{path + ".d/f", path + ".d.other"};
        if (actions != &on_directories) files.insert(files.end(), {path, path + ".other"});
        for (const std::string& file : files) write_file(file, "a file's content");
        if (actions != &on_directories) setxattr(path.c_str(), "user.old", "1", 1, 0);
        setxattr((path + ".d").c_str(), "user.old", "1", 1, 0);
      }
    }
  }
}

// What comes of all that, by the action.
std::map<std::string, std::string> outcomes(const std::string& root) {
  std::map<std::string, std::string> found;
  auto try_on = [&](const Actions& actions, bool directories) {
    for (unsigned flags : flags_tried) {
      for (const auto& [action, act] : actions) {
        std::string path = root + place_of(action, flags) + (directories ? ".d" : "");
        Fd open = directories ? Fd() : opened(path, O_RDWR);
        std::string what = std::to_string(flags) + (directories ? " dir " : " file ") + action;
        found[what + ": flags"] = name_of_error(set_flags(path, protecting, flags));
        found[what] = name_of_error(act({path, open}));
        int64_t kept = flags_of(path);
        found[what + ": kept"] =
            kept < 0 ? name_of_error(static_cast<int>(-kept)) : std::to_string(kept & protecting);
        set_flags(path, protecting, 0);  // so that it can be removed
      }
    }
  };
  try_on(on_files, false);
  try_on(on_both, false);
  try_on(on_both, true);
  try_on(on_directories, true);
  return found;
}

enum class Way {
  passthrough,
  passthrough_over_directories,
  fuse,
  fuse_over_directories,
  io_uring,
  io_uring_over_directories,
  hybrid
};

class FileFlags : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (by_rings() && !can_be_had(Below::io_uring)) GTEST_SKIP() << "this kernel has no io_uring";
    base_ = fs::temp_directory_path() / ("lyr-flags." + std::to_string(getpid()));
    fs::remove_all(base_);
    fs::create_directories(base_ + "/plain");
    merged_ = base_ + "/merged";
  }
  void TearDown() override {
    mounted_.reset();
    static_cast<void>(umount(merged_.c_str()));  // if a test has failed
    fs::remove_all(base_);
  }
  static bool by_rings() {
    return GetParam() == Way::io_uring || GetParam() == Way::io_uring_over_directories;
  }
  static UnionMount::Settings settings() {
    Way way = GetParam();
    bool passes = way == Way::passthrough || way == Way::passthrough_over_directories;
    UnionMount::Settings settings;
    settings.plain_lower = way == Way::passthrough_over_directories ||
                           way == Way::fuse_over_directories ||
                           way == Way::io_uring_over_directories;
    settings.hybrid = way == Way::hybrid;
    settings.adjust = [passes, rings = by_rings()](Options& options) {
      options.file_flags = true;
      options.passthrough = passes;
      options.io_uring = rings;
    };
    return settings;
  }
  void mount() { mounted_.emplace(base_ + "/scratch", base_ + "/plain", settings()); }
  // The kernel's own, over the plain directory itself.
  void mount_overlay(const std::string& scratch, std::string upper = {}) {
    if (upper.empty()) upper = scratch + "/upper";
    for (const std::string& path : {upper, scratch + "/kernel_work", merged_})
      fs::create_directories(path);
    std::string options = "lowerdir=" + base_ + "/plain,upperdir=" + upper + ",workdir=" + scratch +
                          "/kernel_work,index=off,redirect_dir=on";
    ASSERT_EQ(::mount("overlay", merged_.c_str(), "overlay", 0, options.c_str()), 0)
        << strerror(errno);
  }
  std::string at(const char* name) const { return mounted_->path() + name; }

  std::string base_, merged_;
  std::optional<UnionMount> mounted_;
};

class FileFlagsOfALayer : public FileFlags {};  // an image has none
// Where the kernel keeps the times of files itself it does not know of this change.
class FileFlagsAndTimes : public FileFlags {};
// Which overlayfs itself cannot change.
class FileFlagsOfTheUpper : public FileFlags {};
// Where another server follows one that is killed: not with rings, nor over directories, and the
// image's server of hybrid mode has no flags to know.
class FileFlagsSurvive : public FileFlags {};

TEST_P(FileFlags, RefuseWhatOverlayfsRefuses) {
  plant_objects(base_ + "/plain");
  mount();
  auto ours = outcomes(mounted_->path());
  mount_overlay(base_ + "/overlay");
  auto kernels = outcomes(merged_);
  ASSERT_EQ(ours.size(), kernels.size());
  bool hybrid = GetParam() == Way::hybrid;
  for (const auto& [what, outcome] : kernels) {
    if (hybrid && what.ends_with("copy_file_range") && outcome == "done") continue;  // EXDEV
    EXPECT_EQ(ours[what], outcome) << what;
  }
  EXPECT_EQ(umount(merged_.c_str()), 0);
  EXPECT_EQ(kernels["16 file unlink"], "EPERM");
  EXPECT_EQ(kernels["0 file unlink"], "done");
}

// Two ways to the same flags.
TEST_P(FileFlags, StayWithTheFile) {
  write_file(base_ + "/plain/f", "an image's file");
  fs::create_directories(base_ + "/plain/d");
  mount();
  write_file(at("/new"), "of the upper alone");
  for (const char* name : {"/f", "/d", "/new"}) {
    SCOPED_TRACE(name);
    auto wanted = extended_flags_of(at(name));
    ASSERT_TRUE(wanted);
    EXPECT_EQ(wanted->fsx_xflags & all_extended, 0U);
    ASSERT_EQ(set_flags(at(name), 0, FS_NODUMP_FL | FS_APPEND_FL), 0);
    EXPECT_EQ(flags_of(at(name)) & (FS_NODUMP_FL | protecting), FS_NODUMP_FL | FS_APPEND_FL);
    wanted->fsx_xflags = FS_XFLAG_NOATIME | FS_XFLAG_IMMUTABLE;
    ASSERT_EQ(set_extended_flags(at(name), *wanted), 0);
    mounted_->remount();
    auto kept = extended_flags_of(at(name));
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->fsx_xflags & all_extended, wanted->fsx_xflags);
    EXPECT_EQ(flags_of(at(name)) & (FS_NODUMP_FL | FS_NOATIME_FL | protecting),
              FS_NOATIME_FL | FS_IMMUTABLE_FL);
    EXPECT_EQ(chmod(at(name).c_str(), 0700), -1);
    EXPECT_EQ(set_flags(at(name), protecting, 0), 0);
    EXPECT_EQ(chmod(at(name).c_str(), 0700), 0);
    char list[100] = "";
    EXPECT_EQ(listxattr(at(name).c_str(), list, sizeof list), 0) << list;
  }
  EXPECT_EQ(read_whole(at("/f")), "an image's file");
  ASSERT_EQ(symlink("f", at("/link").c_str()), 0);
  ASSERT_EQ(mkfifo(at("/fifo").c_str(), 0600), 0);
  EXPECT_EQ(flags_of(at("/fifo")), -ENOTTY);
}

// What the server knew of them, the next one finds in the upper.
TEST_P(FileFlagsSurvive, AKilledServer) {
  write_file(base_ + "/plain/f", "an image's file");
  fs::create_directories(base_ + "/plain/d");
  UnionMount::Settings survives = settings();
  survives.survives = Patience{};
  mounted_.emplace(base_ + "/scratch", base_ + "/plain", std::move(survives));
  ASSERT_EQ(set_flags(at("/f"), 0, FS_APPEND_FL), 0);
  ASSERT_EQ(set_flags(at("/d"), 0, FS_IMMUTABLE_FL), 0);
  Fd open = opened(at("/f"), O_WRONLY | O_APPEND);
  mounted_->kill_server();
  EXPECT_EQ(can_open(at("/f"), O_WRONLY), EPERM);
  EXPECT_EQ(mkdir(at("/d/new").c_str(), 0755), -1);
  EXPECT_EQ(write(open.get(), "!", 1), 1);
  EXPECT_EQ(flags_of(at("/f")) & protecting, FS_APPEND_FL);
  EXPECT_EQ(set_flags(at("/f"), FS_APPEND_FL, 0), 0);
  EXPECT_EQ(can_open(at("/f"), O_WRONLY), 0);
  EXPECT_EQ(read_whole(at("/f")), "an image's file!");
}

// With the status's time, as of any other change.
TEST_P(FileFlagsAndTimes, ChangeTheTimeOfTheStatus) {
  write_file(base_ + "/plain/f", "");
  mount();
  ASSERT_EQ(chmod(at("/f").c_str(), 0640), 0);
  struct stat before{}, after{};
  ASSERT_EQ(stat(at("/f").c_str(), &before), 0);
  after = before;
  auto is_later = [&] {
    return before.st_ctim.tv_sec != after.st_ctim.tv_sec ||
           before.st_ctim.tv_nsec != after.st_ctim.tv_nsec;
  };
  // A clock tick may hold many changes.
  for (int i = 0; i < 100'000 && !is_later(); ++i) {
    ASSERT_EQ(set_flags(at("/f"), FS_NODUMP_FL, i % 2 == 0 ? FS_NODUMP_FL : 0), 0);
    ASSERT_EQ(stat(at("/f").c_str(), &after), 0);
  }
  EXPECT_TRUE(is_later());
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST_P(FileFlags, TakeTheRightToSetThem) {
  write_file(base_ + "/plain/f", "");
  mount();
  ASSERT_EQ(chown(at("/f").c_str(), 1000, 1000), 0);
  Fd file = opened(at("/f"), O_RDONLY);  // the path may be closed to others
  pid_t child = fork();
  if (child == 0) {
    bool so = setgid(1000) == 0 && setuid(1000) == 0 && set_flags(file, 0, FS_NODUMP_FL) == 0 &&
              set_flags(file, 0, FS_IMMUTABLE_FL) == EPERM &&
              set_flags(file, 0, FS_APPEND_FL) == EPERM;
    _exit(so ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(flags_of(at("/f")) & (FS_NODUMP_FL | protecting), FS_NODUMP_FL);
}

// Either way round: what one has protected the other protects.
TEST_P(FileFlags, AreOverlayfsOnes) {
  for (const char* name : {"/f", "/g"}) write_file(base_ + "/plain" + name, "an image's file");
  mount();
  ASSERT_EQ(set_flags(at("/f"), 0, FS_IMMUTABLE_FL), 0);
  mounted_->unmount();
  mount_overlay(base_ + "/scratch", mounted_->upper());
  EXPECT_EQ(flags_of(merged_ + "/f") & protecting, FS_IMMUTABLE_FL);
  EXPECT_EQ(unlink((merged_ + "/f").c_str()), -1);
  EXPECT_EQ(set_flags(merged_ + "/f", FS_IMMUTABLE_FL, 0), 0);
  EXPECT_EQ(set_flags(merged_ + "/g", 0, protecting), 0);
  EXPECT_EQ(umount(merged_.c_str()), 0);
  mounted_->mount();
  EXPECT_EQ(flags_of(at("/f")) & protecting, 0);
  EXPECT_EQ(unlink(at("/f").c_str()), 0);
  EXPECT_EQ(flags_of(at("/g")) & protecting, protecting);
  EXPECT_EQ(unlink(at("/g").c_str()), -1);
}

// Of a layer's objects: they are copied up with them.
TEST_P(FileFlagsOfALayer, AreCopiedUp) {
  std::string layer = base_ + "/layer";
  fs::create_directories(layer + "/d");
  for (const char* name : {"/f", "/d/f"}) write_file(layer + name, "a layer's file");
  ASSERT_EQ(set_flags(layer + "/f", 0, FS_IMMUTABLE_FL | FS_NOATIME_FL), 0);
  ASSERT_EQ(set_flags(layer + "/d", 0, FS_APPEND_FL), 0);
  UnionMount::Settings over = settings();
  over.layers = {layer};
  mounted_.emplace(base_ + "/scratch", base_ + "/plain", std::move(over));
  constexpr unsigned compared = protecting | FS_NOATIME_FL;
  EXPECT_EQ(flags_of(at("/f")) & compared, FS_IMMUTABLE_FL | FS_NOATIME_FL);
  EXPECT_EQ(can_open(at("/f"), O_WRONLY), EPERM);
  EXPECT_EQ(unlink(at("/d/f").c_str()), -1);
  write_file(at("/d/new"), "");
  EXPECT_EQ(set_flags(at("/f"), FS_IMMUTABLE_FL, 0), 0);
  EXPECT_EQ(flags_of(at("/f")) & compared, FS_NOATIME_FL);
  mounted_->remount();
  EXPECT_EQ(flags_of(at("/f")) & compared, FS_NOATIME_FL);
  EXPECT_EQ(unlink(at("/d/f").c_str()), -1);
  EXPECT_EQ(flags_of(mounted_->upper() + "/d") & protecting, 0);
  mounted_.reset();
  for (const char* name : {"/f", "/d"}) EXPECT_EQ(set_flags(layer + name, protecting, 0), 0);
}

// Whatever flags a layer's file has, and whatever is changed of them first.
TEST_P(FileFlagsOfALayer, AreChangedAsOnOverlayfs) {
  write_file(base_ + "/probe", "");
  // tmpfs has no such flag.
  unsigned sync = set_flags(base_ + "/probe", 0, FS_SYNC_FL) == 0 ? FS_SYNC_FL : 0;
  const unsigned all[] = {FS_NODUMP_FL, FS_NOATIME_FL, sync};
  std::map<std::string, std::pair<unsigned, unsigned>> changes;  // of a file: which, and to what
  for (unsigned before = 0; before < 8; ++before) {
    for (unsigned flag : all) {
      for (bool on : {false, true}) {
        std::string name =
            "/" + std::to_string(before) + "." + std::to_string(flag) + (on ? "+" : "-");
        changes[name] = {flag, on ? flag : 0};
        write_file(base_ + "/plain" + name, "a layer's file");
        unsigned flags = 0;
        for (unsigned i = 0; i < 3; ++i) flags |= (before >> i & 1) != 0 ? all[i] : 0;
        ASSERT_EQ(set_flags(base_ + "/plain" + name, 0, flags), 0);
      }
    }
  }
  UnionMount::Settings over = settings();
  over.layers = {base_ + "/plain"};
  mounted_.emplace(base_ + "/scratch", base_ + "/plain", std::move(over));
  mount_overlay(base_ + "/overlay");
  for (const auto& [name, change] : changes) {
    int64_t shown = flags_of(merged_ + name);
    EXPECT_EQ(flags_of(mounted_->path() + name), shown) << name;
    EXPECT_EQ(set_flags(mounted_->path() + name, change.first, change.second), 0) << name;
    EXPECT_EQ(set_flags(merged_ + name, change.first, change.second), 0) << name;
    shown = flags_of(merged_ + name);
    EXPECT_EQ(shown & change.first, change.second);
    EXPECT_EQ(flags_of(mounted_->path() + name), shown) << name;
  }
  EXPECT_EQ(umount(merged_.c_str()), 0);
}

// As overlayfs has written them before Linux 5.15, or root by hand.
TEST_P(FileFlagsOfTheUpper, MayBeTheObjectsOwn) {
  mount();
  write_file(at("/f"), "the upper's");
  mounted_->unmount();
  ASSERT_EQ(set_flags(mounted_->upper() + "/f", 0, FS_IMMUTABLE_FL), 0);
  mounted_->mount();
  EXPECT_EQ(flags_of(at("/f")) & protecting, FS_IMMUTABLE_FL);
  EXPECT_EQ(can_open(at("/f"), O_WRONLY), EPERM);
  EXPECT_EQ(unlink(at("/f").c_str()), -1);
  EXPECT_EQ(read_whole(at("/f")), "the upper's");
  EXPECT_EQ(set_flags(at("/f"), 0, FS_NODUMP_FL), 0);
  EXPECT_EQ(unlink(at("/f").c_str()), -1);
  EXPECT_EQ(set_flags(at("/f"), FS_IMMUTABLE_FL, FS_APPEND_FL), 0);
  EXPECT_EQ(can_open(at("/f"), O_WRONLY), EPERM);
  std::ofstream(at("/f"), std::ios::app) << " file";
  EXPECT_EQ(read_whole(at("/f")), "the upper's file");
  EXPECT_EQ(flags_of(mounted_->upper() + "/f") & protecting, 0);
  EXPECT_EQ(set_flags(at("/f"), protecting, 0), 0);
  EXPECT_EQ(unlink(at("/f").c_str()), 0);
}

std::string name_of_way(const testing::TestParamInfo<Way>& info) {
  static const std::array names{
      "Passthrough", "PassthroughOverDirectories", "Fuse",  "FuseOverDirectories",
      "IoUring",     "IoUringOverDirectories",     "Hybrid"};
  return names[static_cast<size_t>(info.param)];
}

std::vector<Way> every_way_but(std::initializer_list<Way> left_out) {
  std::vector<Way> ways{
      Way::passthrough, Way::passthrough_over_directories, Way::fuse,  Way::fuse_over_directories,
      Way::io_uring,    Way::io_uring_over_directories,    Way::hybrid};
  std::erase_if(ways, [&](Way way) { return std::ranges::find(left_out, way) != left_out.end(); });
  return ways;
}
constexpr auto over_a_tree = {Way::passthrough, Way::fuse, Way::io_uring, Way::hybrid};

INSTANTIATE_TEST_SUITE_P(Ways, FileFlags, testing::ValuesIn(every_way_but({})), name_of_way);
INSTANTIATE_TEST_SUITE_P(Ways, FileFlagsOfALayer, testing::ValuesIn(every_way_but(over_a_tree)),
                         name_of_way);
INSTANTIATE_TEST_SUITE_P(Ways, FileFlagsOfTheUpper, testing::ValuesIn(every_way_but({Way::hybrid})),
                         name_of_way);
INSTANTIATE_TEST_SUITE_P(Ways, FileFlagsAndTimes,
                         testing::Values(Way::passthrough, Way::passthrough_over_directories,
                                         Way::hybrid),
                         name_of_way);
INSTANTIATE_TEST_SUITE_P(Ways, FileFlagsSurvive, testing::Values(Way::passthrough, Way::fuse),
                         name_of_way);

}  // namespace
}  // namespace lyr::unionfs
