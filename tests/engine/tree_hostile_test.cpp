// SPDX-License-Identifier: Apache-2.0
// A stream that wants to write elsewhere than where it is unpacked does not.
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/tree_copy.h"
#include "tests/engine/scratch.h"
#include "tests/image/tar_maker.h"

namespace lyr::engine {
namespace {

using image::end_of_tar;
using image::file;
using image::header;

std::string directory(const std::string& name) { return header({.name = name, .type = '5'}); }
std::string symlink(const std::string& name, const std::string& to) {
  return header({.name = name, .type = '2', .link = to});
}
std::string hard_link(const std::string& name, const std::string& to) {
  return header({.name = name, .type = '1', .link = to});
}

class HostileTree : public testing::Test {
 protected:
  HostileTree() : root_(scratch_.open("root")), outside_(scratch_.open("outside")) {
    scratch_.write("beside", "untouched");
  }
  // Nothing but what stood beside the root stands there, unchanged.
  ~HostileTree() override {
    EXPECT_EQ(scratch_.read("beside"), "untouched");
    EXPECT_EQ(sys::stat_at(scratch_.directory(), "beside").value().st_nlink, 1U);
    EXPECT_EQ(names(outside_), 0);
    EXPECT_EQ(names(scratch_.directory()), 3);
  }
  static int names(const Fd& of) {
    int count = 0;
    EXPECT_TRUE(sys::read_directory(of, [&](const auto&) { return ++count > 0; }));
    return count;
  }
  // The error's code, or 0. Once as a copy of the tree "d", once as a tar from anywhere.
  int unpack(const std::string& entries, bool any_stream) {
    Fd tar = scratch_.stream(entries + end_of_tar());
    auto done = unpack_tree(root_, "/", tar, {.any_stream = any_stream, .keep_owner = true});
    return done ? 0 : done.error().code;
  }
  std::string text_at(const char* path) {
    auto text = sys::read_file_at(root_, path);
    return text ? *text : "none";
  }

  Scratch scratch_;
  Fd root_, outside_;
};

TEST_F(HostileTree, DotsAreRefused) {
  for (bool any : {false, true}) {
    EXPECT_EQ(unpack(directory("d") + file("d/../../beside", "x"), any), EBADMSG);
    EXPECT_EQ(unpack(file("../beside", "x"), true), EBADMSG);
    EXPECT_EQ(unpack(directory("d") + file("d/..", "x"), any), EBADMSG);
    EXPECT_EQ(unpack(directory("d/x/../../../outside/y"), any), EBADMSG);
  }
}

TEST_F(HostileTree, TheFirstEntrysNameIsOneOfTheDirectory) {
  EXPECT_NE(unpack(file("..", "x"), false), 0);
  EXPECT_NE(unpack(directory("..") + file("../beside", "x"), false), 0);
}

TEST_F(HostileTree, AbsoluteNamesAreBelowTheDirectory) {
  ASSERT_EQ(unpack(file("/absolute/f", "x"), true), 0);
  EXPECT_EQ(text_at("absolute/f"), "x");
}

TEST_F(HostileTree, NothingIsWrittenThroughALink) {
  for (bool any : {false, true}) {
    EXPECT_NE(
        unpack(directory("d") + symlink("d/out", "../../outside") + file("d/out/f", "x"), any), 0);
    EXPECT_NE(unpack(directory("d") + symlink("d/out", "../../outside") + directory("d/out"), any),
              0);
    std::string absolute = scratch_.path() + "/outside";
    EXPECT_NE(unpack(directory("d") + symlink("d/abs", absolute) + file("d/abs/f", "x"), any), 0);
    EXPECT_NE(unpack(directory("d") + symlink("d/a", "b") + symlink("d/b", "../../outside") +
                         directory("d/a/sub"),
                     any),
              0);
    // Its way out begins where nothing is yet.
    EXPECT_NE(
        unpack(directory("d") + symlink("d/l", "n/../../../outside") + file("d/l/f", "x"), any), 0);
  }
}

TEST_F(HostileTree, ALinkIsReplacedByAFileOfItsName) {
  ASSERT_EQ(unpack(directory("d") + symlink("d/f", "../../beside") + file("d/f", "mine"), false),
            0);
  EXPECT_EQ(text_at("d/f"), "mine");
  EXPECT_TRUE(S_ISREG(sys::stat_at(root_, "d/f").value().st_mode));
}

TEST_F(HostileTree, AFirstEntryThatIsALinkIsNoWayOut) {
  EXPECT_NE(unpack(symlink("d", "../outside") + file("d/f", "x"), false), 0);
  EXPECT_NE(unpack(symlink("d", "../outside") + file("d/f", "x"), true), 0);
}

TEST_F(HostileTree, AHardLinkStaysInside) {
  for (bool any : {false, true}) {
    EXPECT_EQ(unpack(directory("d") + hard_link("d/h", "d/../../beside"), any), EBADMSG);
    EXPECT_NE(unpack(directory("d") + hard_link("d/h", "/beside"), any), 0);
    EXPECT_NE(
        unpack(directory("d") + symlink("d/o", "../..") + hard_link("d/h", "d/o/beside"), any), 0);
    // To a link is to the link itself, not to where it leads.
    EXPECT_EQ(unpack(directory("d") + symlink("d/s", "../../beside") + hard_link("d/h", "d/s") +
                         file("d/h", "mine"),
                     any),
              0);
    EXPECT_EQ(text_at("d/h"), "mine");
  }
}

TEST_F(HostileTree, ADeviceIsMadeOnlyByWhoMayAndNeverOpened) {
  std::string device = header({.name = "d/null", .type = '3', .major_field = "0000001"});
  int code = unpack(directory("d") + device + file("d/null", "file"), false);
  if (::geteuid() == 0 && code == 0) {
    EXPECT_EQ(text_at("d/null"), "file") << "the device's name was taken over";
  } else {
    EXPECT_EQ(code, EPERM);
  }
  EXPECT_EQ(
      unpack(directory("d") + header({.name = "d/p", .type = '6'}) + file("d/p", "file"), false), 0)
      << "a pipe's name is taken over, nobody waits for its other end";
  EXPECT_EQ(text_at("d/p"), "file");
}

TEST_F(HostileTree, AStreamThatEndsWithinAFileIsSaid) {
  Fd tar = scratch_.stream(directory("d") + file("d/f", std::string(5000, 'x')).substr(0, 2000));
  auto done = unpack_tree(root_, "/", tar, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EBADMSG);
}

TEST_F(HostileTree, WhatIsNoTarIsRefused) {
  Fd tar = scratch_.stream(std::string(2048, 'x'));
  EXPECT_FALSE(unpack_tree(root_, "/", tar, {}));
}

}  // namespace
}  // namespace lyr::engine
