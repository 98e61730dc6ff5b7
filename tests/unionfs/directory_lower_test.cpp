// SPDX-License-Identifier: Apache-2.0
// Plain directories as a lower side: how layers merge, in the forms that kernel overlayfs does not
// know (layers_test.cpp has those it does), and what hostile ones cannot do.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/sys_file.h"
#include "tests/unionfs/snapshot.h"
#include "unionfs/lower.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class DirectoryLowers : public testing::Test {
 protected:
  DirectoryLowers()
      : base_(fs::temp_directory_path() / ("lyr-layers." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_);
  }
  ~DirectoryLowers() override { fs::remove_all(base_); }

  // A file of a layer, by its path: "LAYER/a/b".
  void put(const std::string& path, const std::string& text = "") const {
    fs::create_directories((base_ / path).parent_path());
    std::ofstream(base_ / path) << text;
  }
  void put_directory(const std::string& path) const { fs::create_directories(base_ / path); }
  void mark(const std::string& path, const char* name, const std::string& value) const {
    ASSERT_EQ(lsetxattr((base_ / path).c_str(), name, value.data(), value.size(), 0), 0);
  }

  std::unique_ptr<Lower> stack(const std::vector<std::string>& names,
                               bool follow_redirects = true) const {
    DirectoryStack stack;
    stack.follow_redirects = follow_redirects;
    for (const std::string& name : names)
      stack.layers.push_back(*sys::open((base_ / name).c_str(), O_RDONLY | O_DIRECTORY));
    auto lower = lower_from_directories(std::move(stack));
    EXPECT_TRUE(lower.has_value());
    return std::move(*lower);
  }

  static std::string content(Lower& lower, Ino ino) {
    auto file = lower.file(ino);
    if (!file) return describe(file.error());
    std::string text(static_cast<size_t>(lower.status(ino).st_size), '\0');
    auto got = sys::pread(**file, std::as_writable_bytes(std::span(text)), 0);
    return got ? text : describe(got.error());
  }

  // All that shows, as "a/ a/b=text ...".
  static std::string show(Lower& lower, Ino directory = root_ino, const std::string& at = "") {
    auto loaded = lower.load(directory);
    if (!loaded) return at + "? ";
    std::string text;
    for (uint32_t i = 0; i < lower.entry_count(directory); ++i) {
      std::string name(lower.entry_name(directory, i));
      auto ino = lower.lookup(directory, name);
      EXPECT_TRUE(ino && *ino != no_ino) << at << name;
      EXPECT_TRUE(lower.has(directory, name));
      EXPECT_EQ(lower.find(directory, name), i);
      if (lower.type(*ino) == S_IFDIR) {
        text += at + name + "/ " + show(lower, *ino, at + name + "/");
      } else if (lower.type(*ino) == S_IFREG) {
        text += at + name + "=" + content(lower, *ino) + " ";
      } else {
        text += at + name + " ";
      }
    }
    return text;
  }

  fs::path base_;
};

TEST_F(DirectoryLowers, TheTopmostCountsAndDirectoriesMerge) {
  put("top/d/new", "1");
  put("top/both", "top");
  put("middle/d/new", "2");
  put("middle/d/old", "3");
  put("middle/over", "a file");
  put("bottom/both", "bottom");
  put("bottom/over/hidden", "4");
  put("bottom/d/old", "5");
  put("bottom/d/oldest", "6");
  auto lower = stack({"top", "middle", "bottom"});
  EXPECT_EQ(show(*lower), "both=top d/ d/new=1 d/old=3 d/oldest=6 over=a file ");
  EXPECT_EQ(*lower->lookup(root_ino, "absent"), no_ino);
}

TEST_F(DirectoryLowers, WhiteoutsInAllTheirForms) {
  put("top/.wh.a");
  ASSERT_EQ(mknod((base_ / "top/b").c_str(), S_IFCHR, 0), 0);
  put("top/d/c");
  mark("top/d", "user.overlay.opaque", "x");
  mark("top/d/c", "user.overlay.whiteout", "y");
  put("top/opaque/.wh..wh..opq");
  put("top/opaque/kept", "1");
  put("top/marked/kept", "2");
  mark("top/marked", "user.fuseoverlayfs.opaque", "y");
  put("top/.wh.remade");
  put("top/remade/new", "3");
  put("top/.wh..wh.plnk", "AUFS's own");
  for (const char* path : {"a", "b", "d/c", "d/e", "opaque/gone", "marked/gone", "remade/old"})
    put(std::string("bottom/") + path, "old");
  auto lower = stack({"top", "bottom"});
  EXPECT_EQ(show(*lower),
            "d/ d/e=old marked/ marked/kept=2 opaque/ opaque/kept=1 remade/ remade/new=3 ");
}

TEST_F(DirectoryLowers, AWhiteoutHidesNothingOfLayersAbove) {
  put("top/a", "top");
  put("top/d/new", "1");
  put("middle/.wh.a");
  put("middle/.wh.d");
  put("bottom/a", "bottom");
  put("bottom/d/old", "2");
  auto lower = stack({"top", "middle", "bottom"});
  EXPECT_EQ(show(*lower), "a=top d/ d/new=1 ");
}

TEST_F(DirectoryLowers, RedirectsLeadToLayersBelowOnly) {
  put("top/moved/new", "1");
  mark("top/moved", "user.overlay.redirect", "/from/here");
  put("top/beside/new", "2");
  mark("top/beside", "user.overlay.redirect", "sibling");
  put("middle/from/here/m", "3");
  put("bottom/from/here/b", "4");
  put("bottom/sibling/s", "5");
  put("bottom/moved/hidden", "6");
  auto lower = stack({"top", "middle", "bottom"});
  EXPECT_EQ(show(*lower),
            "beside/ beside/new=2 beside/s=5 from/ from/here/ from/here/b=4 from/here/m=3 "
            "moved/ moved/b=4 moved/m=3 moved/new=1 sibling/ sibling/s=5 ");
  auto strict = stack({"top", "middle", "bottom"}, false);
  ASSERT_TRUE(strict->load(root_ino));
  Ino moved = *strict->lookup(root_ino, "moved");
  EXPECT_EQ(strict->load(moved).error().code, EPERM);
}

TEST_F(DirectoryLowers, HostileRedirectsLeadNowhere) {
  // One that goes on behind a NUL would be "." to the kernel, and its own content without end.
  const std::string nul(".\0x", 3);
  for (const std::string& where :
       {std::string("/../../etc"), std::string(".."), std::string("/"), std::string("//"),
        std::string("/a//b"), std::string("/a/./b"), std::string("."), nul, "/a/" + nul}) {
    SCOPED_TRACE(where);
    fs::remove_all(base_ / "top");
    put("top/d/new");
    mark("top/d", "user.overlay.redirect", where);
    put_directory("bottom/a/b");
    auto lower = stack({"top", "bottom"});
    ASSERT_TRUE(lower->load(root_ino));
    auto loaded = lower->load(*lower->lookup(root_ino, "d"));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, EINVAL);
  }
}

// Each layer's redirect has as many names as fit, and each of them is redirected below in turn.
TEST_F(DirectoryLowers, ResolvingRedirectsEnds) {
  std::vector<std::string> names;
  std::string path;
  for (int i = 0; i < 100; ++i) path += "/d";
  for (int layer = 0; layer < 12; ++layer) {
    names.push_back(std::to_string(layer));
    std::string at = names.back();
    for (int i = 0; i < 100; ++i) {
      at += "/d";
      put_directory(at);
      mark(at, "user.overlay.redirect", path);
    }
  }
  auto lower = stack(names);
  ASSERT_TRUE(lower->load(root_ino));
  auto loaded = lower->load(*lower->lookup(root_ino, "d"));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ELOOP);
}

TEST_F(DirectoryLowers, SymlinksOfALayerAreNeverFollowed) {
  put("outside/secret", "not for you");
  put_directory("top");
  fs::create_directory_symlink(base_ / "outside", base_ / "top/d");
  fs::create_symlink(base_ / "outside/secret", base_ / "top/f");
  fs::create_directory_symlink(base_ / "outside", base_ / "top/from");
  put("over/moved/x", "1");
  mark("over/moved", "user.overlay.redirect", "/from");
  put("bottom/d/kept", "2");
  auto lower = stack({"over", "top", "bottom"});
  EXPECT_EQ(show(*lower), "d f from moved/ moved/x=1 ");
  auto link = lower->lookup(root_ino, "d");
  EXPECT_EQ(*lower->symlink_target(*link), (base_ / "outside").string());
}

// A layer that is changed while it is in use: what was merged is not what is there, and no link.
TEST_F(DirectoryLowers, ALayerThatChangesIsAnErrorAndNotALeak) {
  put("outside/secret", "not for you");
  put("top/d/f", "1");
  put("top/g", "2");
  auto lower = stack({"top"});
  ASSERT_TRUE(lower->load(root_ino));
  Ino file = *lower->lookup(root_ino, "g");
  Ino directory = *lower->lookup(root_ino, "d");
  fs::remove_all(base_ / "top/d");
  fs::create_directory_symlink(base_ / "outside", base_ / "top/d");
  fs::remove(base_ / "top/g");
  fs::create_symlink(base_ / "outside/secret", base_ / "top/g");
  EXPECT_FALSE(lower->load(directory));
  EXPECT_FALSE(lower->file(file));
}

TEST_F(DirectoryLowers, NamesOfOneFileHaveOneNumber) {
  put("top/d/first", "1");
  fs::create_hard_link(base_ / "top/d/first", base_ / "top/second");
  put_directory("bottom");
  fs::create_hard_link(base_ / "top/d/first", base_ / "bottom/of_another_layer");
  auto lower = stack({"top", "bottom"});
  ASSERT_TRUE(lower->load(root_ino));
  Ino directory = *lower->lookup(root_ino, "d");
  ASSERT_TRUE(lower->load(directory));
  Ino first = *lower->lookup(directory, "first");
  EXPECT_EQ(first, *lower->lookup(root_ino, "second"));
  EXPECT_NE(first, *lower->lookup(root_ino, "of_another_layer"));
  EXPECT_EQ(lower->status(first).st_nlink, 3U);
  EXPECT_EQ(lower->aliases(first)->size(), 2U);
}

TEST_F(DirectoryLowers, PathsLongerThanTheSystemTakes) {
  std::string name(200, 'n');
  Fd at = *sys::open(base_.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(sys::mkdir_at(at, "deep", 0755));
  at = *sys::open_at(at, "deep", O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(sys::mkdir_at(at, name.c_str(), 0755));
    at = *sys::open_at(at, name.c_str(), O_RDONLY | O_DIRECTORY);
  }
  ASSERT_TRUE(sys::replace_file_at(at, "f", "at the end", 0644));
  auto lower = stack({"deep"});
  Ino ino = root_ino;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(lower->load(ino));
    ino = *lower->lookup(ino, name);
  }
  ASSERT_TRUE(lower->load(ino));
  EXPECT_EQ(content(*lower, *lower->lookup(ino, "f")), "at the end");
}

TEST_F(DirectoryLowers, HowManyLayersThereMayBe) {
  DirectoryStack none;
  EXPECT_FALSE(lower_from_directories(std::move(none)));
  std::vector<std::string> names;
  for (size_t i = 0; i < DirectoryStack::layers_max; ++i) {
    names.push_back(std::to_string(i));
    put(names.back() + "/d/f" + names.back());
  }
  auto lower = stack(names);
  ASSERT_TRUE(lower->load(root_ino));
  Ino directory = *lower->lookup(root_ino, "d");
  ASSERT_TRUE(lower->load(directory));
  EXPECT_EQ(lower->entry_count(directory), DirectoryStack::layers_max);
}

}  // namespace
}  // namespace lyr::unionfs
