// SPDX-License-Identifier: Apache-2.0
// The server is killed at each system call of a sequence in turn that changes something, before it
// and after it: the sequence goes on all the same, and its outcome is a plain directory's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "base/check.h"
#include "base/sys_event.h"
#include "base/sys_process.h"
#include "tests/unionfs/kill_at.h"
#include "tests/unionfs/player.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

using Sequence = std::function<std::string(const std::string& root)>;

std::string code(long result) {
  return result >= 0 ? "ok " : "errno " + std::to_string(errno) + " ";
}

std::string put(const std::string& path, const std::string& text, int flags) {
  int file = open(path.c_str(), O_RDWR | flags, 0640);
  std::string said = code(file);
  if (file < 0) return said;
  said += code(write(file, text.data(), text.size()));
  said += code(fsync(file));
  close(file);
  return said;
}

// What each of them said: a list is evaluated in its order.
std::string joined(std::initializer_list<std::string> outcomes) {
  std::string all;
  for (const std::string& outcome : outcomes) all += outcome;
  return all;
}

std::string shift(const std::string& from, const std::string& to, unsigned flags = 0) {
  return code(renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
}

std::string make(const std::string& path) { return code(mkdir(path.c_str(), 0751)); }
std::string remove(const std::string& path) { return code(unlink(path.c_str())); }

std::string play_names(const std::string& root) {
  std::string in = root + "/new";
  return joined({make(in), put(in + "/a", "one", O_CREAT | O_EXCL),
                 code(link((in + "/a").c_str(), (in + "/b").c_str())),
                 code(symlink("a", (in + "/c").c_str())), code(mkfifo((in + "/d").c_str(), 0600)),
                 shift(in + "/a", root + "/d3/a"), shift(in + "/b", root + "/f10"),
                 remove(in + "/c"), remove(in + "/d"), remove(root + "/h0")});
}

std::string directories(const std::string& root) {
  return joined({shift(root + "/d0/d1", root + "/moved"), code(rmdir((root + "/d3/empty").c_str())),
                 make(root + "/d3/empty"), make(root + "/new"),
                 put(root + "/new/in", "it", O_CREAT), shift(root + "/new", root + "/d3/empty"),
                 shift(root + "/moved", root + "/d3", RENAME_EXCHANGE),
                 shift(root + "/d3/d2", root + "/d0/d1"), make(root + "/d0/new"),
                 code(rmdir((root + "/d0/new").c_str()))});
}

std::string copies(const std::string& root) {
  const std::string file = root + "/f5";
  return joined({code(chmod((root + "/d3/h1").c_str(), 0600)), put(root + "/f0", "ab", O_APPEND),
                 code(truncate((root + "/large").c_str(), 100000)), remove(file),
                 put(file, "five", O_CREAT | O_EXCL),
                 code(setxattr(file.c_str(), "user.a", "b", 1, XATTR_CREATE)),
                 code(setxattr(file.c_str(), "user.a", "c", 1, XATTR_CREATE)),
                 code(removexattr(file.c_str(), "user.a")),
                 code(removexattr(file.c_str(), "user.a"))});
}

std::string unnamed(const std::string& root) {
  std::string path = root + "/f10";
  int file = open(path.c_str(), O_RDWR);
  std::string said =
      joined({code(file), code(pwrite(file, "changed", 7, 3)), code(fsync(file)), remove(path),
              code(pwrite(file, "again", 5, 0)), code(fsync(file)), code(fchmod(file, 0600))});
  struct stat status{};
  said += code(fstat(file, &status));
  said += std::to_string(status.st_nlink) + " ";
  close(file);
  int temporary = open((root + "/d3").c_str(), O_TMPFILE | O_RDWR, 0600);
  std::string magic = "/proc/self/fd/" + std::to_string(temporary);
  said +=
      joined({code(temporary), code(write(temporary, "kept", 4)),
              code(linkat(AT_FDCWD, magic.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW))});
  close(temporary);
  return said;
}

// Of one content: where blocks can be shared, the second shares what was kept of the first.
std::string large_copies(const std::string& root) {
  return joined({put(root + "/large0", "ab", 0), put(root + "/large1", "cd", 0)});
}

class KilledServer : public testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("lyr-killed-server." + std::to_string(getpid()));
    fs::remove_all(base_);
    plant(base_ + "/planted");
    plant(base_ + "/plain");
  }
  void TearDown() override { fs::remove_all(base_); }

  void kill_everywhere(const Sequence& sequence, int points_min = 50, Below below = Below::tree) {
    std::string expected = sequence(base_ + "/plain");
    auto plain = snapshot(base_ + "/plain", false);
    UnionMount::Settings settings = settings_for(below);
    settings.survives = Patience();
    UnionMount image(base_ + "/image", base_ + "/planted", settings);
    int point = 0;
    for (bool killed = true; killed && !HasFailure(); ++point) {
      SCOPED_TRACE(point);
      std::string scratch = base_ + "/scratch";
      fs::remove_all(scratch);
      fs::remove_all(image.store_path() + "/hot");
      UnionMount mounted(scratch, image);
      std::string root = mounted.path();
      struct stat status{};
      ASSERT_EQ(stat((root + "/d0").c_str(), &status), 0);  // it serves
      auto go = sys::pipe();
      ASSERT_TRUE(go);
      auto client = sys::spawn([&] {
        go->write.reset();
        char none = 0;
        CHECK(read(go->read.get(), &none, 1) == 0);
        std::string said = sequence(root);
        if (said == expected) return 0;
        std::fprintf(stderr, "said     %s\nexpected %s\n", said.c_str(), expected.c_str());
        return 1;
      });
      ASSERT_TRUE(client);
      killed = kill_at(point, mounted.server(), client->pid, std::move(go->write));
      EXPECT_EQ(differences(snapshot(root, false), plain), "");
      mounted.remount();
      EXPECT_EQ(differences(snapshot(root, false), plain), "");
    }
    std::printf("%d points\n", point);
    EXPECT_GT(point, points_min);
  }

  std::string base_;
};

TEST_F(KilledServer, Names) { kill_everywhere(play_names); }
TEST_F(KilledServer, Directories) { kill_everywhere(directories); }
TEST_F(KilledServer, Copies) { kill_everywhere(copies); }
TEST_F(KilledServer, LargeCopies) {
  for (const char* below : {"/planted", "/plain"}) {
    std::string content = std::string(700'000, 'x') + std::string(500'000, 'y');
    for (const char* name : {"/large0", "/large1"}) std::ofstream(base_ + below + name) << content;
  }
  kill_everywhere(large_copies, 20);
}
TEST_F(KilledServer, Unnamed) { kill_everywhere(unnamed); }
TEST_F(KilledServer, CopiesWithPassthrough) { kill_everywhere(copies, 50, Below::passthrough); }
TEST_F(KilledServer, UnnamedWithPassthrough) { kill_everywhere(unnamed, 50, Below::passthrough); }

}  // namespace
}  // namespace lyr::unionfs
