// SPDX-License-Identifier: Apache-2.0
// What an upper directory says was changed, with its marks made by hand.
#include "unionfs/changes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/sys_file.h"
#include "tests/store/tree_text.h"
#include "unionfs/override_stat.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;
using store::must;

// The image has /a/sub/x, /a/sub/same, /a/kind/, /a/other, /a/only/f, /a/h1 and /a/h2, which are
// one file, /b/sub/y, /b/sub/same, /b/kind, /b/other/, /b/gone, and /owned of 999:998.
class Changes : public testing::Test {
 protected:
  Changes()
      : upper_(fs::temp_directory_path() / ("lyr-changes." + std::to_string(getpid()))),
        tree_(build()) {
    fs::remove_all(upper_);
    fs::create_directories(upper_);
  }
  ~Changes() override { fs::remove_all(upper_); }

  static store::Tree build() {
    store::LayerTreeBuilder builder;
    for (std::string file : {"a/sub/x", "a/sub/same", "a/kind/inside", "a/other", "a/only/f",
                             "a/h1", "b/sub/y", "b/sub/same", "b/kind", "b/other/inside", "b/gone"})
      must(builder.add_file(file, {.mode = 0644}, 0, {}));
    must(builder.add_hard_link("a/h2", "a/h1"));
    must(builder.add_directory("owned", {.mode = 0700, .uid = 999, .gid = 998}));
    must(builder.add_file("owned/file", {.mode = 0600, .uid = 999, .gid = 998}, 0, {}));
    must(builder.add_symlink("owned/link", {.mode = 0777, .uid = 5, .gid = 6}, "file"));
    return store::built(builder);
  }

  void directory(const std::string& path, mode_t mode = 0755) const {
    fs::create_directories(upper_ / path);
    ASSERT_EQ(chmod((upper_ / path).c_str(), mode), 0);
  }
  void file(const std::string& path) const { std::ofstream(upper_ / path) << "text"; }
  void mark(const std::string& path, const std::string& name, const std::string& value) const {
    ASSERT_EQ(setxattr((upper_ / path).c_str(), name.c_str(), value.data(), value.size(), 0), 0);
  }
  void moved(const std::string& from, const std::string& to) const {
    directory(to);
    mark(to, "user.overlay.redirect", from);
  }
  std::vector<Change> found(Ownership ownership = Ownership::real) const {
    return must(changes(must(sys::open(upper_.c_str(), O_RDONLY | O_DIRECTORY)), tree_, ownership));
  }
  std::string lines() const {
    std::string text;
    for (const Change& change : found())
      text += std::string(1, static_cast<char>(change.kind)) + " " + change.path + "\n";
    return text;
  }
  Change change_of(const std::string& path, Ownership ownership = Ownership::real) const {
    for (Change& change : found(ownership))
      if (change.path == path) return std::move(change);
    ADD_FAILURE() << "not listed: " << path;
    return {};
  }

  fs::path upper_;
  store::Tree tree_;
};

// rm -r /b; mv /a /b
TEST_F(Changes, ADirectoryThatWasMovedOverAnotherHidesWhatThatHad) {
  file("a");
  mark("a", "user.overlay.whiteout", "y");
  moved("/a", "b");
  EXPECT_EQ(lines(),
            "D /a\nC /b\nD /b/gone\nA /b/h1\nA /b/h2\nC /b/kind\nA /b/kind/inside\nA /b/only\n"
            "A /b/only/f\nC /b/other\nC /b/sub\nC /b/sub/same\nA /b/sub/x\nD /b/sub/y\n");
  EXPECT_NE(change_of("/b/h1").links_as, 0u);
  EXPECT_EQ(change_of("/b/h1").links_as, change_of("/b/h2").links_as);
}

TEST_F(Changes, DirectoriesThatWereSwapped) {
  moved("/b", "a");
  moved("/a", "b");
  EXPECT_EQ(lines(),
            "C /a\nA /a/gone\nD /a/h1\nD /a/h2\nC /a/kind\nD /a/only\nC /a/other\n"
            "A /a/other/inside\nC /a/sub\nC /a/sub/same\nD /a/sub/x\nA /a/sub/y\n"
            "C /b\nD /b/gone\nA /b/h1\nA /b/h2\nC /b/kind\nA /b/kind/inside\nA /b/only\n"
            "A /b/only/f\nC /b/other\nC /b/sub\nC /b/sub/same\nA /b/sub/x\nD /b/sub/y\n");
}

TEST_F(Changes, WhatIsNewInAMovedDirectory) {
  moved("/a", "b");
  directory("b/sub");
  file("b/sub/y");
  file("b/sub/new");
  EXPECT_EQ(change_of("/b/sub/y").kind, ChangeKind::changed);
  EXPECT_EQ(change_of("/b/sub/new").kind, ChangeKind::added);
  EXPECT_EQ(change_of("/b/sub/x").kind, ChangeKind::added);
  EXPECT_EQ(change_of("/b/sub/same").kind, ChangeKind::changed);
}

TEST_F(Changes, ADirectoryIsDressedWhenItIsNoLongerTheImagesOne) {
  directory("a");
  EXPECT_FALSE(change_of("/a").dressed);
  directory("a", 0700);
  EXPECT_TRUE(change_of("/a").dressed);
  directory("a");
  mark("a", "user.overlay.origin", "");
  mark("a", "user.containers.override_stat", "1:1:755");
  EXPECT_FALSE(change_of("/a").dressed);
  mark("a", "user.color", "green");
  EXPECT_TRUE(change_of("/a").dressed);
  directory("new");
  directory("new/below");
  EXPECT_FALSE(change_of("/new/below").dressed);
  directory("new/below", 01777);
  EXPECT_TRUE(change_of("/new/below").dressed);
  directory("new", 02755);
  directory("new/below", 02755);
  EXPECT_FALSE(change_of("/new/below").dressed);  // as mkdir leaves it there
  moved("/b", "moved");
  EXPECT_TRUE(change_of("/moved").dressed);
  if (geteuid() != 0) return;
  directory("b");
  EXPECT_FALSE(change_of("/b").dressed);
  ASSERT_EQ(chown((upper_ / "b").c_str(), 0, 7), 0);
  EXPECT_TRUE(change_of("/b").dressed);
}

TEST_F(Changes, WhereAllShowsAsRootsTheImagesOwnersAreKnown) {
  directory("owned", 0700);
  file("owned/file");
  file("owned/link");
  file("owned/new");
  file("noted");
  mark("noted", containers_stat_name, "12:34:644");
  moved("/owned", "moved");
  auto owner = [&](const std::string& path) { return change_of(path, Ownership::in_xattr).owner; };
  EXPECT_EQ(owner("/owned"), (Owner{999, 998}));
  EXPECT_EQ(owner("/owned/file"), (Owner{999, 998}));
  EXPECT_EQ(owner("/owned/link"), (Owner{5, 6}));
  EXPECT_EQ(owner("/owned/new"), std::nullopt);
  EXPECT_EQ(owner("/noted"), (Owner{12, 34}));
  EXPECT_EQ(owner("/moved"), (Owner{999, 998}));
  EXPECT_EQ(owner("/moved/link"), (Owner{5, 6}));
  EXPECT_FALSE(change_of("/owned", Ownership::in_xattr).dressed);
  EXPECT_EQ(change_of("/owned/file").owner, std::nullopt);
}

}  // namespace
}  // namespace lyr::unionfs
