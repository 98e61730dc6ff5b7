// SPDX-License-Identifier: Apache-2.0
// What the kernel asks for each operation, exactly: the one measure of the union's speed that no
// noise touches. A lever that gets lost (a time-out, an ENOSYS, a flag of INIT) shows up here as a
// request more. docs/performance.md has the same table.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "tests/unionfs/kernel_caches.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr int many = 1000;                        // names in /many
constexpr uint32_t fuse_copy_file_range_64 = 53;  // newer than Debian 12's header

// FORGET is left out: it comes when the kernel pleases. STATFS is how the counts are read.
const std::map<uint32_t, const char*> names = {
    {FUSE_LOOKUP, "LOOKUP"},
    {FUSE_GETATTR, "GETATTR"},
    {FUSE_SETATTR, "SETATTR"},
    {FUSE_READLINK, "READLINK"},
    {FUSE_SYMLINK, "SYMLINK"},
    {FUSE_MKNOD, "MKNOD"},
    {FUSE_MKDIR, "MKDIR"},
    {FUSE_UNLINK, "UNLINK"},
    {FUSE_RMDIR, "RMDIR"},
    {FUSE_RENAME, "RENAME"},
    {FUSE_RENAME2, "RENAME"},
    {FUSE_LINK, "LINK"},
    {FUSE_OPEN, "OPEN"},
    {FUSE_READ, "READ"},
    {FUSE_WRITE, "WRITE"},
    {FUSE_RELEASE, "RELEASE"},
    {FUSE_FSYNC, "FSYNC"},
    {FUSE_SETXATTR, "SETXATTR"},
    {FUSE_GETXATTR, "GETXATTR"},
    {FUSE_LISTXATTR, "LISTXATTR"},
    {FUSE_REMOVEXATTR, "REMOVEXATTR"},
    {FUSE_FLUSH, "FLUSH"},
    {FUSE_OPENDIR, "OPENDIR"},
    {FUSE_READDIR, "READDIR"},
    {FUSE_RELEASEDIR, "RELEASEDIR"},
    {FUSE_FSYNCDIR, "FSYNCDIR"},
    {FUSE_ACCESS, "ACCESS"},
    {FUSE_CREATE, "CREATE"},
    {FUSE_FALLOCATE, "FALLOCATE"},
    {FUSE_READDIRPLUS, "READDIRPLUS"},
    {FUSE_LSEEK, "LSEEK"},
    {FUSE_IOCTL, "IOCTL"},
    {FUSE_COPY_FILE_RANGE, "COPY_FILE_RANGE"},
    {fuse_copy_file_range_64, "COPY_FILE_RANGE"},
    {FUSE_TMPFILE, "TMPFILE"},
    {FUSE_SYNCFS, "SYNCFS"},
};

void must(bool done) {
  if (done) return;
  std::perror("an operation the test needs");
  std::abort();
}

// Until the clock that file times are taken from shows a time that no file has yet: whether a write
// changes a file's mtime (and that has to be sent) must not depend on how fast we are. A file may
// have the exact time, which that clock is behind, and the kernel gives the next ones no earlier
// one (Linux, ktime_get_coarse_real_ts64_mg): the next tick of the clock alone would not do.
void await_tick() {
  struct timespec latest{}, now{};
  clock_gettime(CLOCK_REALTIME, &latest);
  do {
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (std::tie(now.tv_sec, now.tv_nsec) <= std::tie(latest.tv_sec, latest.tv_nsec));
}

// What is done to a tree, by paths from its root.
class Tree {
 public:
  explicit Tree(std::string root) : root_(std::move(root)) {}
  std::string at(const char* path) const { return root_ + path; }

  void stat(const char* path) const {
    struct stat status{};
    must(lstat(at(path).c_str(), &status) == 0);
  }
  void miss(const char* path) const { must(access(at(path).c_str(), F_OK) != 0); }
  void read(const char* path) const {
    int fd = open(path, O_RDONLY);
    std::vector<char> buffer(64 << 10);
    while (::read(fd, buffer.data(), buffer.size()) > 0) {
    }
    close(fd);
  }
  int open(const char* path, int flags) const {
    int fd = ::open(at(path).c_str(), flags, 0644);
    must(fd >= 0);
    return fd;
  }
  void write(const char* path, int flags, size_t bytes, int times = 1) const {
    int fd = open(path, O_WRONLY | flags);
    await_tick();
    std::string text(bytes, 'x');
    for (int i = 0; i < times; ++i)
      must(::write(fd, text.data(), bytes) == static_cast<ssize_t>(bytes));
    close(fd);
  }
  void make(const char* path, size_t bytes = 10) const { write(path, O_CREAT | O_EXCL, bytes); }
  int list(const char* path, bool with_status = false) const {
    DIR* directory = opendir(at(path).c_str());
    must(directory != nullptr);
    int count = 0;
    struct stat status{};
    while (struct dirent* entry = readdir(directory)) {
      if (with_status)
        must(fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0);
      ++count;
    }
    closedir(directory);
    return count;
  }
  // As ls does for each file until it hears EOPNOTSUPP.
  bool has_xattrs(const std::string& path, const char* name) const {
    return getxattr(path.c_str(), name, nullptr, 0) >= 0 || errno != EOPNOTSUPP;
  }
  void list_long(const char* path) const {
    must(list(path, true) > many);
    for (const char* name : {"security.selinux", "system.posix_acl_access"}) {
      for (int i = 0; i < many; ++i) {
        if (!has_xattrs(at(path) + "/file" + std::to_string(i), name)) break;
      }
    }
  }
  void follow(const char* path) const {
    char target[64];
    must(readlink(at(path).c_str(), target, sizeof target) > 0);
  }
  void remove(const char* path) const { must(unlink(at(path).c_str()) == 0); }
  void rename(const char* from, const char* to) const {
    must(::rename(at(from).c_str(), at(to).c_str()) == 0);
  }

 private:
  std::string root_;
};

// `xattrs`: one file has one. Overlayfs asks an image without any for none.
void plant_counted(const std::string& root, bool xattrs) {
  fs::create_directories(root + "/d");
  fs::create_directories(root + "/e/empty");
  fs::create_directories(root + "/few");
  fs::create_directories(root + "/many");
  Tree tree(root);
  auto make = [&](const std::string& path, size_t bytes) {
    std::ofstream(root + path) << std::string(bytes, 'p');
  };
  for (int i = 0; i < many; ++i) make("/many/file" + std::to_string(i), 10);
  for (const char* path : {"/d/a", "/d/b", "/few/a", "/few/b"}) make(path, 5000);
  make("/large", 8 << 20);
  make("/first", 10);
  fs::create_symlink("d/a", root + "/link");
  if (xattrs) must(setxattr(tree.at("/d/a").c_str(), "user.color", "blue", 4, 0) == 0);
}

using Asking = void (*)(const Tree&);

struct Row {
  const char* what;
  Asking before;  // what the kernel has seen already
  Asking act;
  const char* requests;
  const char* hybrid;       // the same, where overlayfs stands on the image
  const char* passthrough;  // the same, with passthrough; and a RELEASE for each close, later
};

void know(const Tree& t) {
  t.stat("/d/a");
  t.stat("/d/b");
  t.stat("/e");
  t.stat("/many");
  t.stat("/link");
}

// Rows about the lower side: what a container does that only reads.
const Row reading[] = {
    {"stat, first", [](const Tree& t) { t.stat("/d"); }, [](const Tree& t) { t.stat("/d/a"); },
     "LOOKUP", "LOOKUP", "LOOKUP"},
    {"stat, again", know, [](const Tree& t) { t.stat("/d/a"); }, "none", "none", "none"},
    {"a name that is not there, first", know, [](const Tree& t) { t.miss("/d/no"); }, "LOOKUP",
     "LOOKUP", "LOOKUP"},
    {"a name that is not there, again", [](const Tree& t) { t.miss("/d/no"); },
     [](const Tree& t) { t.miss("/d/no"); }, "none", "none", "none"},
    {"open, read 5 KB, close, first", know, [](const Tree& t) { t.read("/d/a"); }, "READ", "READ",
     "OPEN, READ"},
    {"open, read 5 KB, close, again", [](const Tree& t) { t.read("/d/a"); },
     [](const Tree& t) { t.read("/d/a"); }, "none", "none", "OPEN"},
    {"stat after open and close", [](const Tree& t) { t.read("/d/a"); },
     [](const Tree& t) { t.stat("/d/a"); }, "GETATTR", "none", "GETATTR"},
    {"read 8 MiB, first", [](const Tree& t) { t.stat("/large"); },
     [](const Tree& t) { t.read("/large"); }, "READ x 64", "READ x 64", "OPEN, READ x 64"},
    {"read 8 MiB, again", [](const Tree& t) { t.read("/large"); },
     [](const Tree& t) { t.read("/large"); }, "none", "none", "OPEN"},
    {"readlink, first", know, [](const Tree& t) { t.follow("/link"); }, "READLINK", "READLINK",
     "READLINK"},
    {"readlink, again", [](const Tree& t) { t.follow("/link"); },
     [](const Tree& t) { t.follow("/link"); }, "none", "none", "none"},
    {"list 2 names and stat them, first", [](const Tree& t) { t.stat("/few"); },
     [](const Tree& t) { t.list("/few", true); }, "GETATTR, LOOKUP x 2, READDIRPLUS x 2",
     "LOOKUP x 2, READDIRPLUS x 2", "GETATTR, LOOKUP x 2, READDIRPLUS x 2"},
    {"the same in the next directory",
     [](const Tree& t) {
       t.stat("/few");
       t.list("/d", true);
     },
     [](const Tree& t) { t.list("/few", true); }, "GETATTR, READDIRPLUS x 2", "READDIRPLUS x 2",
     "GETATTR, READDIRPLUS x 2"},
    {"list 1000 names, first", know, [](const Tree& t) { t.list("/many"); }, "READDIRPLUS x 2",
     "READDIRPLUS x 6", "READDIRPLUS x 2"},
    {"list 1000 names, again", [](const Tree& t) { t.list("/many"); },
     [](const Tree& t) { t.list("/many"); }, "GETATTR", "none", "GETATTR"},
    {"list 1000 names, from then on",
     [](const Tree& t) {
       t.list("/many");
       t.list("/many");
     },
     [](const Tree& t) { t.list("/many"); }, "none", "none", "none"},
    {"list and stat 1000 names, first", know, [](const Tree& t) { t.list("/many", true); },
     "GETATTR, READDIRPLUS x 2", "READDIRPLUS x 6", "GETATTR, READDIRPLUS x 2"},
    {"list and stat 1000 names, again", [](const Tree& t) { t.list("/many", true); },
     [](const Tree& t) { t.list("/many", true); }, "GETATTR", "none", "GETATTR"},
    {"ls -l of 1000 names", know, [](const Tree& t) { t.list_long("/many"); },
     "GETATTR, GETXATTR x 1001, READDIRPLUS x 2", "READDIRPLUS x 6",
     "GETATTR, GETXATTR x 1001, READDIRPLUS x 2"},
    {"getxattr", know,
     [](const Tree& t) { getxattr(t.at("/d/a").c_str(), "user.color", nullptr, 0); }, "GETXATTR",
     "none", "GETXATTR"},
    {"listxattr", know,
     [](const Tree& t) { must(listxattr(t.at("/d/a").c_str(), nullptr, 0) >= 0); }, "LISTXATTR",
     "LISTXATTR", "LISTXATTR"},
    {"lseek to data", know,
     [](const Tree& t) {
       int fd = t.open("/d/a", O_RDONLY);
       must(lseek(fd, 0, SEEK_DATA) == 0);
       close(fd);
     },
     "LSEEK", "LSEEK", "LSEEK, OPEN"},
    {"fsync of an unchanged file", know,
     [](const Tree& t) {
       int fd = t.open("/d/a", O_RDONLY);
       must(fsync(fd) == 0);
       close(fd);
     },
     "FSYNC", "none", "FSYNC, OPEN"},
};

void made(const Tree& t) {
  know(t);
  t.make("/e/new");
  t.stat("/e/new");
  t.stat("/e");
}

// Rows of content: the first change copies the file up within the request that makes it.
const Row writing[] = {
    {"create, write 100 bytes, close", know, [](const Tree& t) { t.make("/e/new", 100); },
     "GETXATTR, LOOKUP, MKNOD, SETATTR, WRITE", "IOCTL, LISTXATTR, LOOKUP",
     "CREATE, GETXATTR, LOOKUP"},
    {"create, 1000 writes of 20 bytes, close", know,
     [](const Tree& t) { t.write("/e/new", O_CREAT | O_EXCL, 20, 1000); },
     "GETXATTR, LOOKUP, MKNOD, SETATTR, WRITE", "IOCTL, LISTXATTR, LOOKUP",
     "CREATE, GETXATTR, LOOKUP"},
    {"create, write 8 MiB, close", know, [](const Tree& t) { t.make("/e/new", 8 << 20); },
     "GETXATTR, LOOKUP, MKNOD, SETATTR, WRITE x 8", "IOCTL, LISTXATTR, LOOKUP",
     "CREATE, GETXATTR, LOOKUP"},
    {"create without O_EXCL where the name was missed before",
     [](const Tree& t) { t.miss("/e/new"); },
     [](const Tree& t) { t.write("/e/new", O_CREAT, 100); }, "GETXATTR, MKNOD, SETATTR, WRITE",
     "IOCTL, LISTXATTR", "CREATE, GETXATTR"},
    {"stat a file just written",
     [](const Tree& t) {
       t.make("/e/new");
       t.stat("/e");
     },
     [](const Tree& t) { t.stat("/e/new"); }, "GETATTR", "none", "GETATTR"},
    {"stat a directory just added to", [](const Tree& t) { t.make("/e/new"); },
     [](const Tree& t) { t.stat("/e"); }, "GETATTR", "none", "GETATTR"},
    {"change a byte of an image's file", know, [](const Tree& t) { t.write("/d/a", 0, 1); },
     "GETXATTR, READ, SETATTR, WRITE", "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "GETXATTR, OPEN"},
    {"append to an image's file", know, [](const Tree& t) { t.write("/d/a", O_APPEND, 10); },
     "GETXATTR, READ, SETATTR, WRITE", "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "GETXATTR, OPEN"},
    {"rewrite an image's file with O_TRUNC", know,
     [](const Tree& t) { t.write("/d/a", O_TRUNC, 10); }, "GETXATTR x 2, SETATTR x 2, WRITE",
     "IOCTL x 2, LISTXATTR x 2", "GETXATTR x 2, OPEN"},
    {"100 writes to a file written before", made,
     [](const Tree& t) { t.write("/e/new", 0, 10, 100); }, "GETXATTR, SETATTR, WRITE", "none",
     "GETXATTR, OPEN"},
    {"write, fsync, close", made,
     [](const Tree& t) {
       int fd = t.open("/e/new", O_WRONLY);
       await_tick();
       must(write(fd, "x", 1) == 1 && fsync(fd) == 0);
       close(fd);
     },
     "FSYNC, GETXATTR, SETATTR, WRITE", "none", "FSYNC, GETXATTR, OPEN"},
    {"copy_file_range of an image's file to a new one", know,
     [](const Tree& t) {
       int from = t.open("/d/a", O_RDONLY), to = t.open("/e/new", O_WRONLY | O_CREAT | O_EXCL);
       await_tick();
       std::vector<char> bytes(5000);
       must(copy_file_range(from, nullptr, to, nullptr, 5000, 0) == 5000 ||
            (::read(from, bytes.data(), 5000) == 5000 && ::write(to, bytes.data(), 5000) == 5000));
       close(from);
       close(to);
     },
     "COPY_FILE_RANGE, GETXATTR, LOOKUP, MKNOD, SETATTR", "IOCTL, LISTXATTR, LOOKUP, READ",
     "COPY_FILE_RANGE, CREATE, GETXATTR, LOOKUP, OPEN"},
    {"O_TMPFILE, write, link", know,
     [](const Tree& t) {
       int fd = t.open("/e", O_TMPFILE | O_WRONLY);
       await_tick();
       must(write(fd, "x", 1) == 1);
       must(linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd)).c_str(), AT_FDCWD,
                   t.at("/e/new").c_str(), AT_SYMLINK_FOLLOW) == 0);
       close(fd);
     },
     "GETATTR, GETXATTR, LINK, LOOKUP, SETATTR, TMPFILE, WRITE", "IOCTL, LISTXATTR, LOOKUP",
     "GETATTR, GETXATTR, LINK, LOOKUP, TMPFILE"},
    {"truncate an image's file", know,
     [](const Tree& t) { must(truncate(t.at("/d/a").c_str(), 10) == 0); }, "GETXATTR, SETATTR",
     "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "GETXATTR, SETATTR"},
    {"fallocate", made,
     [](const Tree& t) {
       int fd = t.open("/e/new", O_WRONLY);
       must(fallocate(fd, 0, 0, 1000) == 0);
       close(fd);
     },
     "FALLOCATE, GETXATTR, SETATTR", "none", "FALLOCATE, GETXATTR, OPEN"},
};

// Rows of names and attributes.
const Row naming[] = {
    {"chmod", know, [](const Tree& t) { must(chmod(t.at("/d/a").c_str(), 0600) == 0); }, "SETATTR",
     "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "SETATTR"},
    {"chown", know, [](const Tree& t) { must(chown(t.at("/d/a").c_str(), 3, 3) == 0); },
     "GETXATTR, SETATTR", "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "GETXATTR, SETATTR"},
    {"utimens", know,
     [](const Tree& t) { must(utimensat(AT_FDCWD, t.at("/d/a").c_str(), nullptr, 0) == 0); },
     "SETATTR", "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "SETATTR"},
    {"setxattr", know,
     [](const Tree& t) { must(setxattr(t.at("/d/a").c_str(), "user.shape", "round", 5, 0) == 0); },
     "SETATTR, SETXATTR", "IOCTL x 2, LISTXATTR x 2, LSEEK, READ", "SETXATTR"},
    {"unlink an image's file", know, [](const Tree& t) { t.remove("/d/a"); }, "SETATTR, UNLINK",
     "IOCTL, LISTXATTR", "UNLINK"},
    {"unlink a new file", made, [](const Tree& t) { t.remove("/e/new"); }, "SETATTR, UNLINK",
     "none", "UNLINK"},
    {"unlink the next one of the same directory",
     [](const Tree& t) {
       know(t);
       t.remove("/d/b");
     },
     [](const Tree& t) { t.remove("/d/a"); }, "GETATTR, SETATTR, UNLINK", "none",
     "GETATTR, UNLINK"},
    {"rename to a new name", know, [](const Tree& t) { t.rename("/d/a", "/d/z"); },
     "LOOKUP, RENAME, SETATTR", "IOCTL x 2, LISTXATTR x 2, LOOKUP, LSEEK, READ", "LOOKUP, RENAME"},
    {"rename over a file", know, [](const Tree& t) { t.rename("/d/a", "/d/b"); },
     "LOOKUP, RENAME, SETATTR x 2", "IOCTL x 2, LISTXATTR x 2, LOOKUP, LSEEK, READ",
     "LOOKUP, RENAME"},
    {"replace a file by a new one and rename", know,
     [](const Tree& t) {
       t.make("/d/z");
       t.rename("/d/z", "/d/a");
     },
     "GETATTR, GETXATTR, LOOKUP x 2, MKNOD, RENAME, SETATTR x 3, WRITE",
     "IOCTL, LISTXATTR, LOOKUP x 2", "CREATE, GETATTR, GETXATTR, LOOKUP x 2, RENAME"},
    {"link", know,
     [](const Tree& t) { must(link(t.at("/d/a").c_str(), t.at("/d/z").c_str()) == 0); },
     "LINK, LOOKUP, SETATTR", "IOCTL x 2, LISTXATTR x 2, LOOKUP, LSEEK, READ", "LINK, LOOKUP"},
    {"symlink", know, [](const Tree& t) { must(symlink("x", t.at("/e/z").c_str()) == 0); },
     "LOOKUP, SYMLINK", "IOCTL, LISTXATTR, LOOKUP", "LOOKUP, SYMLINK"},
    {"mkdir", know, [](const Tree& t) { must(mkdir(t.at("/e/z").c_str(), 0755) == 0); },
     "LOOKUP, MKDIR", "IOCTL, LISTXATTR, LOOKUP", "LOOKUP, MKDIR"},
    {"mkdir and rmdir", know,
     [](const Tree& t) {
       must(mkdir(t.at("/e/z").c_str(), 0755) == 0 && rmdir(t.at("/e/z").c_str()) == 0);
     },
     "GETATTR, LOOKUP, MKDIR, RMDIR", "IOCTL, LISTXATTR, LOOKUP", "GETATTR, LOOKUP, MKDIR, RMDIR"},
    {"list a directory just added to",
     [](const Tree& t) {
       t.list("/e");
       t.make("/e/new");
     },
     [](const Tree& t) { t.list("/e"); }, "GETATTR, READDIRPLUS x 2", "none",
     "GETATTR, READDIRPLUS x 2"},
};

// The connection's first OPEN, OPENDIR, CREATE and FLUSH are answered "not here"; there is no
// second of each.
void teach(const Tree& t) {
  t.make("/taught");
  t.list("/e/empty");
  t.read("/first");
  t.remove("/taught");
  t.stat("/");
}

std::vector<uint64_t> counts_of(const UnionMount& mounted) {
  // Requests are answered in turn: when this one is, all before it were counted.
  struct statvfs status{};
  must(statvfs(mounted.served().c_str(), &status) == 0);
  std::vector<uint64_t> counts;
  for (const auto& count : mounted.counts().by_opcode) counts.push_back(count.load());
  return counts;
}

// Before Linux 6.16 the kernel asks for a page of names at a time, and for other sizes of content:
// there only the kinds of requests are compared.
bool counts_exactly() {
  struct utsname name{};
  must(uname(&name) == 0);
  int major = 0, minor = 0;
  must(std::sscanf(name.release, "%d.%d", &major, &minor) == 2);
  return major > 6 || (major == 6 && minor >= 16);
}

std::string text_of(const std::vector<uint64_t>& before, const std::vector<uint64_t>& after) {
  std::map<std::string, uint64_t> sums;
  for (uint32_t i = 0; i < after.size(); ++i) {
    if (i == FUSE_FORGET || i == FUSE_BATCH_FORGET || i == FUSE_STATFS) continue;
    auto name = names.find(i);
    if (after[i] > before[i])
      sums[name == names.end() ? "opcode " + std::to_string(i) : name->second] +=
          after[i] - before[i];
  }
  std::string text;
  for (const auto& [name, count] : sums) {
    if (!text.empty()) text += ", ";
    text += name;
    if (count > 1) text += " x " + std::to_string(count);
  }
  return text.empty() ? "none" : text;
}

std::string kinds_of(std::string text) {
  while (text.find(" x ") != std::string::npos) {
    size_t at = text.find(" x ");
    text.erase(at, std::min(text.find(',', at), text.size()) - at);
  }
  return text;
}

const char* expected_of(const Row& row, Below below) {
  if (below == Below::passthrough) return row.passthrough;
  return below == Below::overlayfs ? row.hybrid : row.requests;
}

class Requests : public testing::Test {
 protected:
  Requests() : base_(fs::temp_directory_path() / ("lyr-requests." + std::to_string(getpid()))) {
    fs::remove_all(base_);
  }
  ~Requests() override {
    mounted_.reset();
    fs::remove_all(base_);
  }
  void mount(Below below) {
    plant_counted(base_ + "/plain", below != Below::overlayfs);
    mounted_.emplace(base_ + "/scratch", base_ + "/plain", settings_for(below));
  }

  const Fd kernel_caches_ = keep_kernel_caches();

  // Each row with a mount of its own, and nothing in the upper.
  void check(std::span<const Row> rows, Below below) {
    if (!can_be_had(below)) GTEST_SKIP() << "this kernel has no " << name_of(below);
    mount(below);
    Tree tree(mounted_->path());
    for (const Row& row : rows) {
      mounted_->unmount();
      mounted_->empty_upper();
      mounted_->mount();
      teach(tree);
      row.before(tree);
      auto before = counts_of(*mounted_);
      await_tick();
      row.act(tree);
      auto after = counts_of(*mounted_);
      // The kernel sends it some time after the close.
      if (below == Below::passthrough) after[FUSE_RELEASE] = before[FUSE_RELEASE];
      std::string requests = text_of(before, after);
      const char* expected = expected_of(row, below);
      if (counts_exactly()) {
        EXPECT_EQ(requests, expected) << row.what;
      } else {
        EXPECT_EQ(kinds_of(requests), kinds_of(expected)) << row.what;
      }
    }
  }

  std::string base_;
  std::optional<UnionMount> mounted_;
};

TEST(RequestTable, IsTheDocuments) {
  std::string document = read_whole(LYR_SOURCE_DIRECTORY "/docs/performance.md");
  using Rows = std::span<const Row>;
  for (Rows rows : {Rows(reading), Rows(writing), Rows(naming)}) {
    for (const Row& row : rows) {
      std::string line = std::string("| ") + row.what + " | " + row.requests + " | " + row.hybrid +
                         " | " + row.passthrough + " |\n";
      EXPECT_NE(document.find(line), std::string::npos) << line;
    }
  }
}

TEST_F(Requests, Reading) { check(reading, Below::tree); }
TEST_F(Requests, Writing) { check(writing, Below::tree); }
TEST_F(Requests, Naming) { check(naming, Below::tree); }
TEST_F(Requests, ReadingUnderOverlayfs) { check(reading, Below::overlayfs); }
TEST_F(Requests, WritingUnderOverlayfs) { check(writing, Below::overlayfs); }
TEST_F(Requests, NamingUnderOverlayfs) { check(naming, Below::overlayfs); }

TEST_F(Requests, ReadingWithPassthrough) { check(reading, Below::passthrough); }
TEST_F(Requests, WritingWithPassthrough) { check(writing, Below::passthrough); }
TEST_F(Requests, NamingWithPassthrough) { check(naming, Below::passthrough); }

// By rings the same is asked as by the device.
TEST_F(Requests, ReadingByRings) { check(reading, Below::io_uring); }
TEST_F(Requests, WritingByRings) { check(writing, Below::io_uring); }
TEST_F(Requests, NamingByRings) { check(naming, Below::io_uring); }

TEST_F(Requests, NothingIsOpenedTwice) {
  mount(Below::tree);
  Tree tree(mounted_->path());
  auto before = counts_of(*mounted_);
  for (int i = 0; i < 3; ++i) {
    tree.read("/d/a");
    tree.list("/e");
    tree.make(("/e/new" + std::to_string(i)).c_str());
  }
  auto after = counts_of(*mounted_);
  for (auto asked_once : {FUSE_OPEN, FUSE_OPENDIR, FUSE_FLUSH, FUSE_CREATE})
    EXPECT_EQ(after[asked_once] - before[asked_once], 1) << names.at(asked_once);
  for (auto never : {FUSE_RELEASE, FUSE_RELEASEDIR, FUSE_ACCESS})
    EXPECT_EQ(after[never] - before[never], 0) << names.at(never);
}

}  // namespace
}  // namespace lyr::unionfs
