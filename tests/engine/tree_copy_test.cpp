// SPDX-License-Identifier: Apache-2.0
// What is packed comes out of the stream as it was, and goes where docker cp says.
#include "engine/tree_copy.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "base/digest.h"
#include "tests/engine/scratch.h"

namespace lyr::engine {
namespace {

// One line a name below `directory`: kind, mode, owner, links, time in whole seconds (as docker cp
// keeps it), and content or target.
std::string listing(const Fd& directory, const std::string& below = "") {
  std::vector<std::string> names;
  EXPECT_TRUE(sys::read_directory(directory, [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  }));
  std::ranges::sort(names);
  std::string text;
  for (const std::string& name : names) {
    auto info = sys::stat_at(directory, name.c_str()).value();
    char line[256];
    std::snprintf(line, sizeof line, "%o %u:%u %lu %ld ", info.st_mode, info.st_uid, info.st_gid,
                  S_ISDIR(info.st_mode) ? 0UL : info.st_nlink, info.st_mtim.tv_sec);
    text += below + name + " " + line;
    auto digest = [&](Result<std::string> read) {
      std::string content = std::move(read).value();
      return content.size() < 20 ? content : Digest::of(content).hex();
    };
    if (S_ISREG(info.st_mode)) text += digest(sys::read_file_at(directory, name.c_str()));
    if (S_ISLNK(info.st_mode)) text += "-> " + digest(sys::readlink_at(directory, name.c_str()));
    if (S_ISCHR(info.st_mode)) text += std::to_string(info.st_rdev);
    text += '\n';
    if (S_ISDIR(info.st_mode)) {
      text += listing(sys::open_at(directory, name.c_str(), O_RDONLY | O_DIRECTORY).value(),
                      below + name + "/");
    }
  }
  return text;
}

class TreeCopy : public testing::Test {
 protected:
  TreeCopy() : from_(scratch_.open("from")), to_(scratch_.open("to")) {}

  void file(const std::string& path, std::string_view text, mode_t mode = 0644) {
    Fd made = sys::open_at(from_, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600).value();
    EXPECT_TRUE(sys::write_all(made, text));
    EXPECT_TRUE(sys::chmod(made, mode));
  }
  Fd packed(std::string_view path, bool follow_link = false) {
    Fd tar = sys::open_unnamed(scratch_.directory(), O_RDWR, 0600).value();
    auto done = pack_tree(from_, path, follow_link, tar);
    EXPECT_TRUE(done) << describe(done.error());
    EXPECT_TRUE(sys::seek(tar, 0, SEEK_SET));
    return tar;
  }
  // The error's code, or 0.
  int copy(std::string_view path, std::string_view to, const UnpackOptions& options = {}) {
    auto done = unpack_tree(to_, to, packed(path), options);
    return done ? 0 : done.error().code;
  }
  std::string text_at(const char* path) {
    auto text = sys::read_file_at(to_, path);
    return text ? *text : "none";
  }

  Scratch scratch_;
  Fd from_, to_;
};

TEST_F(TreeCopy, ATreeComesBackAsItWas) {
  scratch_.open("from/tree/empty");
  std::string deep = "tree/" + std::string(200, 'd') + "/" + std::string(150, 'e');
  scratch_.open("from/" + deep);
  file("tree/plain", "text");
  file("tree/empty-file", "", 0);
  file("tree/setuid", "x", 06755);
  file("tree/binary", std::string("\0\xff\n\0", 4));
  file("tree/block", std::string(512, 'b'));
  file("tree/large", std::string((1 << 20) + 7, 'l'));
  file(deep + "/" + std::string(255, 'f'), "deep");
  file("tree/line\nbreak=\xff", "odd");
  ASSERT_TRUE(sys::link_at(from_, "tree/plain", from_, "tree/second"));
  ASSERT_TRUE(sys::symlink_at("plain", from_, "tree/link"));
  ASSERT_TRUE(sys::symlink_at(("/" + std::string(3000, 'x')).c_str(), from_, "tree/long-link"));
  ASSERT_TRUE(sys::mknod_at(from_, "tree/fifo", S_IFIFO | 0640, 0));
  if (::geteuid() == 0) {
    ASSERT_TRUE(sys::mknod_at(from_, "tree/null", S_IFCHR | 0666, makedev(1, 3)));
    ASSERT_TRUE(sys::chown_at(from_, "tree/plain", 4000000000U, 2097152));
  }
  const struct timespec past[2]{{1, 5}, {-7, 0}};
  ASSERT_TRUE(sys::utimens_at(from_, "tree/empty", past));
  ASSERT_TRUE(sys::utimens_at(from_, "tree/link", past));
  ASSERT_TRUE(sys::utimens_at(from_, "tree", past));
  bool root = ::geteuid() == 0;
  Fd tar = packed("/tree");
  auto done = unpack_tree(to_, "/", tar, {.keep_owner = root});
  ASSERT_TRUE(done) << describe(done.error());
  std::string want = listing(from_);
  if (!root) want.replace(want.find("setuid 106755"), 13, "setuid 100755");
  EXPECT_EQ(listing(to_), want);
}

TEST_F(TreeCopy, WithoutOwnersNothingRunsAsAnother) {
  file("setuid", "x", 06755);
  ASSERT_EQ(copy("setuid", "/"), 0);
  EXPECT_EQ(sys::stat_at(to_, "setuid").value().st_mode & 07777, 0755U);
  EXPECT_EQ(sys::stat_at(to_, "setuid").value().st_uid, ::geteuid());
}

TEST_F(TreeCopy, WhereAFileGoes) {
  file("f", "new");
  scratch_.open("to/directory");
  scratch_.write("to/there", "old and longer");
  EXPECT_EQ(copy("f", "/directory"), 0);
  EXPECT_EQ(text_at("directory/f"), "new");
  EXPECT_EQ(copy("/f", "/there"), 0);
  EXPECT_EQ(text_at("there"), "new");
  EXPECT_EQ(copy("f", "name"), 0);
  EXPECT_EQ(text_at("name"), "new");
  EXPECT_EQ(copy("f", "missing/name"), ENOENT);
  EXPECT_EQ(copy("f", "missing/"), ENOENT);
  EXPECT_EQ(copy("f", "there/"), ENOTDIR);
}

TEST_F(TreeCopy, WhereADirectoryGoes) {
  scratch_.open("from/d");
  file("d/f", "new");
  scratch_.open("to/there");
  scratch_.write("to/file", "old");
  EXPECT_EQ(copy("d", "/there"), 0);
  EXPECT_EQ(text_at("there/d/f"), "new");
  EXPECT_EQ(copy("d", "/there", {.contents = true}), 0);
  EXPECT_EQ(text_at("there/f"), "new");
  EXPECT_EQ(copy("d", "/name"), 0);
  EXPECT_EQ(text_at("name/f"), "new");
  EXPECT_EQ(copy("d", "/other/", {.contents = true}), 0);
  EXPECT_EQ(text_at("other/f"), "new");
  EXPECT_EQ(copy("d", "/file"), ENOTDIR);
  EXPECT_EQ(text_at("file"), "old");
}

TEST_F(TreeCopy, ALinkIsCopiedUnlessItIsFollowed) {
  file("f", "text");
  ASSERT_TRUE(sys::symlink_at("/f", from_, "absolute"));
  ASSERT_TRUE(sys::symlink_at("absolute", from_, "twice"));
  ASSERT_TRUE(sys::symlink_at("round", from_, "round"));
  EXPECT_EQ(copy("twice", "/"), 0);
  EXPECT_EQ(sys::readlink_at(to_, "twice").value(), "absolute");
  ASSERT_TRUE(unpack_tree(to_, "followed", packed("twice", true), {}));
  EXPECT_EQ(text_at("followed"), "text");
  Fd tar = sys::open_unnamed(scratch_.directory(), O_RDWR, 0600).value();
  EXPECT_EQ(pack_tree(from_, "round", true, tar).error().code, ELOOP);
  EXPECT_EQ(pack_tree(from_, "missing", false, tar).error().code, ENOENT);
}

TEST_F(TreeCopy, ALinkOutOfTheRootLeadsBackIntoIt) {
  scratch_.write("secret", "of the host");
  file("secret", "of the root");
  ASSERT_TRUE(sys::symlink_at("../../secret", from_, "up"));
  ASSERT_TRUE(unpack_tree(to_, "got", packed("up", true), {}));
  EXPECT_EQ(text_at("got"), "of the root");
  ASSERT_TRUE(unpack_tree(to_, "again", packed("../../secret"), {}));
  EXPECT_EQ(text_at("again"), "of the root");
}

TEST_F(TreeCopy, AnEmptyStreamIsSaid) {
  Fd nothing = scratch_.stream("");
  EXPECT_EQ(unpack_tree(to_, "/", nothing, {}).error().code, ENODATA);
  Fd again = scratch_.stream("");
  EXPECT_TRUE(unpack_tree(to_, "/", again, {.any_stream = true}));
}

}  // namespace
}  // namespace lyr::engine
