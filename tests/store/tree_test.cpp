// SPDX-License-Identifier: Apache-2.0
#include "store/tree.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>

#include "store/tree_format.h"
#include "tests/store/tree_text.h"

namespace lyr::store {
namespace {

using Names = std::vector<std::string>;

Extent extent_of(uint64_t file_offset, std::string_view content) {
  auto bytes = std::as_bytes(std::span(content));
  return {.file_offset = file_offset, .length = bytes.size(), .object = ObjectId::of(bytes)};
}

TEST(TreeTest, AnEmptyTreeIsItsRoot) {
  LayerTreeBuilder builder;
  Tree tree = built(builder);
  EXPECT_EQ(tree.inode_count(), 1u);
  EXPECT_EQ(tree.attr(root_ino).mode, S_IFDIR | 0755u);
  EXPECT_EQ(tree.attr(root_ino).nlink, 2u);
  EXPECT_EQ(tree.parent(root_ino), root_ino);
  EXPECT_EQ(tree.lookup(root_ino, "x"), no_ino);
}

TEST(TreeTest, KeepsAllThatAnEntrySays) {
  LayerTreeBuilder builder;
  NodeAttr attr = attr_of(04755, 4000000000u, 7);
  attr.mtime_seconds = -5;
  attr.mtime_nanoseconds = 999999999;
  attr.xattrs = {{"user.b", std::string("\0\xff", 2)}, {"security.capability", "cap"}};
  Extent extent = extent_of(4096, "content");
  must(builder.add_file("usr/bin/tool", attr, 5000, std::span(&extent, 1)));
  must(builder.add_symlink("/usr/link", attr_of(0777), "../bin"));
  must(builder.add_special("dev/null", attr_of(0666), S_IFCHR, 1, 3));
  must(builder.add_special("run/pipe", attr_of(0600), S_IFIFO, 9, 9));
  Tree tree = built(builder);

  Ino tool = resolve(tree, "/usr/bin/tool", true);
  TreeAttr got = tree.attr(tool);
  EXPECT_EQ(got.mode, S_IFREG | 04755u);
  EXPECT_EQ(got.uid, 4000000000u);
  EXPECT_EQ(got.gid, 7u);
  EXPECT_EQ(got.size, 5000u);
  EXPECT_EQ(got.mtime_seconds, -5);
  EXPECT_EQ(got.mtime_nanoseconds, 999999999u);
  ASSERT_EQ(tree.xattr_count(tool), 2u);
  EXPECT_EQ(tree.xattr(tool, 0).name, "security.capability");
  EXPECT_EQ(tree.xattr(tool, 1).value, std::string_view("\0\xff", 2));
  ASSERT_EQ(tree.extent_count(tool), 1u);
  EXPECT_EQ(tree.extent(tool, 0).object, extent.object);
  EXPECT_EQ(tree.extent_at(tool, 0), 0u);
  EXPECT_EQ(tree.extent_at(tool, 4102), 0u);
  EXPECT_EQ(tree.extent_at(tool, 4103), 1u);

  EXPECT_EQ(tree.symlink_target(resolve(tree, "usr/link", false)), "../bin");
  TreeAttr null = tree.attr(resolve(tree, "/dev/null", true));
  EXPECT_EQ(null.mode, S_IFCHR | 0666u);
  EXPECT_EQ(null.device_major, 1u);
  EXPECT_EQ(null.device_minor, 3u);
  EXPECT_EQ(tree.attr(resolve(tree, "/run/pipe", true)).device_major, 0u);
  EXPECT_EQ(tree.content_bytes(), 5000u);
  EXPECT_EQ(tree.attr(resolve(tree, "/usr", true)).nlink, 3u);
}

TEST(TreeTest, FindsEveryNameOfALargeDirectoryAndNoOther) {
  LayerTreeBuilder builder;
  constexpr int count = 5000;
  for (int i = 0; i < count; ++i)
    must(builder.add_directory("d/" + std::to_string(i), attr_of(0755)));
  Tree tree = built(builder);
  Ino directory = tree.lookup(root_ino, "d");
  ASSERT_EQ(tree.entry_count(directory), static_cast<uint32_t>(count));
  std::set<Ino> seen;
  for (int i = 0; i < count; ++i) {
    Ino ino = tree.lookup(directory, std::to_string(i));
    ASSERT_NE(ino, no_ino);
    EXPECT_EQ(tree.parent(ino), directory);
    seen.insert(ino);
    EXPECT_EQ(tree.lookup(directory, "n" + std::to_string(i)), no_ino);
    EXPECT_EQ(tree.find(directory, "n" + std::to_string(i)), no_entry);
    auto index = static_cast<uint32_t>(i);
    EXPECT_EQ(tree.find(directory, tree.entry(directory, index).name), index);
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(count));
  EXPECT_EQ(tree.attr(directory).nlink, 2u + count);
}

TEST(TreeTest, AHardLinkIsOneInodeWithItsNames) {
  LayerTreeBuilder builder;
  Extent extent = extent_of(0, "x");
  must(builder.add_file("a/one", attr_of(0644), 1, std::span(&extent, 1)));
  must(builder.add_hard_link("b/two", "a/one"));
  must(builder.add_hard_link("three", "/b/two"));
  Tree tree = built(builder);
  Ino one = resolve(tree, "/a/one", true);
  EXPECT_EQ(resolve(tree, "/b/two", true), one);
  EXPECT_EQ(resolve(tree, "/three", true), one);
  EXPECT_EQ(tree.attr(one).nlink, 3u);
  EXPECT_EQ(tree.content_bytes(), 1u);
  std::set<std::string> names;
  ASSERT_EQ(tree.alias_count(one), 3u);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(tree.lookup(tree.alias(one, i).directory, tree.alias(one, i).name), one);
    names.emplace(tree.alias(one, i).name);
  }
  EXPECT_EQ(names, (std::set<std::string>{"one", "three", "two"}));
}

TEST(TreeTest, ALaterEntryReplacesTheEarlier) {
  LayerTreeBuilder builder;
  must(builder.add_file("x", attr_of(0600), 0, {}));
  must(builder.add_directory("x", attr_of(0700)));
  must(builder.add_file("x/inside", attr_of(0600), 0, {}));
  must(builder.add_directory("./x/", attr_of(0711, 5)));
  must(builder.add_directory("y", attr_of(0700)));
  must(builder.add_file("y/gone", attr_of(0600), 0, {}));
  must(builder.add_symlink("y", attr_of(0777), "x"));
  Tree tree = built(builder);
  EXPECT_EQ(names_of(tree), (Names{"/x", "/x/inside", "/y"}));
  EXPECT_EQ(tree.attr(tree.lookup(root_ino, "x")).mode, S_IFDIR | 0711u);
  EXPECT_EQ(tree.attr(tree.lookup(root_ino, "x")).uid, 5u);
}

TEST(TreeTest, AParentThatIsASymlinkIsFollowedInside) {
  LayerTreeBuilder builder;
  must(builder.add_directory("usr/lib", attr_of(0755)));
  must(builder.add_symlink("lib", attr_of(0777), "/usr/lib"));
  must(builder.add_symlink("up", attr_of(0777), "../../../../usr"));
  must(builder.add_file("lib/libc.so", attr_of(0755), 0, {}));
  must(builder.add_file("up/new", attr_of(0755), 0, {}));
  Tree tree = built(builder);
  EXPECT_EQ(names_of(tree),
            (Names{"/lib", "/up", "/usr", "/usr/lib", "/usr/lib/libc.so", "/usr/new"}));
}

TEST(TreeTest, RefusesPathsThatAreNone) {
  LayerTreeBuilder builder;
  auto code = [&](std::string_view path) {
    auto added = builder.add_file(path, attr_of(0644), 0, {});
    return added ? 0 : added.error().code;
  };
  EXPECT_EQ(code("a/../../etc/passwd"), EINVAL);
  EXPECT_EQ(code(".."), EINVAL);
  EXPECT_EQ(code(std::string_view("a\0b", 3)), EINVAL);
  EXPECT_EQ(code(""), EINVAL);
  EXPECT_EQ(code("./"), EINVAL);
  EXPECT_EQ(code(std::string(256, 'n')), ENAMETOOLONG);
  EXPECT_EQ(code(std::string(255, 'n')), 0);
  std::string deep;
  for (size_t i = 0; i < path_depth_max + 1; ++i) deep += "d/";
  EXPECT_EQ(code(deep), ENAMETOOLONG);
  must(builder.add_symlink("loop", attr_of(0777), "loop"));
  EXPECT_EQ(code("loop/x"), ELOOP);
  must(builder.add_file("file", attr_of(0644), 0, {}));
  EXPECT_EQ(code("file/x"), ENOTDIR);
}

// Symlinks must not make a tree deeper than a path can be: whoever walks it counts on that.
TEST(TreeTest, SymlinkedParentsDoNotMakeItDeeper) {
  LayerTreeBuilder builder;
  std::string chain;
  for (size_t i = 0; i < path_depth_max - 1; ++i) chain += "d/";
  must(builder.add_directory(chain, attr_of(0755)));
  must(builder.add_symlink("jump", attr_of(0777), "/" + chain));
  auto added = builder.add_directory("jump/a/b/c", attr_of(0755));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ENAMETOOLONG);
}

TEST(TreeTest, ResolvesLikeTheKernel) {
  LayerTreeBuilder builder;
  must(builder.add_file("etc/real", attr_of(0644), 0, {}));
  must(builder.add_symlink("etc/link", attr_of(0777), "real"));
  must(builder.add_symlink("abs", attr_of(0777), "/etc/link"));
  must(builder.add_symlink("dir", attr_of(0777), "../../etc"));
  must(builder.add_symlink("loop", attr_of(0777), "loop"));
  must(builder.add_symlink("dangling", attr_of(0777), "none"));
  Tree tree = built(builder);
  Ino real = resolve(tree, "/etc/real", true);
  ASSERT_NE(real, no_ino);
  EXPECT_EQ(resolve(tree, "abs", true), real);
  EXPECT_EQ(resolve(tree, "dir/../etc/./link", true), real);
  EXPECT_NE(resolve(tree, "dir/link", false), real);
  EXPECT_EQ(resolve(tree, "/../../etc/real", true), real);
  EXPECT_EQ(resolve(tree, "", true), root_ino);
  EXPECT_EQ(resolve(tree, "/", true), root_ino);
  EXPECT_EQ(resolve(tree, "loop", true), no_ino);
  EXPECT_NE(resolve(tree, "loop", false), no_ino);
  EXPECT_EQ(resolve(tree, "dangling", true), no_ino);
  EXPECT_EQ(resolve(tree, "etc/real/", true), no_ino);
  EXPECT_EQ(resolve(tree, "etc/real/x", true), no_ino);
  EXPECT_EQ(resolve(tree, std::string("etc/re\0al", 9), true), no_ino);
}

TEST(TreeTest, KeepsMegabytesOfNamesTargetsAndXattrs) {
  LayerTreeBuilder builder;
  std::string long_name(200, 'n');
  for (int i = 0; i < 12000; ++i) {
    std::string number = std::to_string(i);
    must(builder.add_symlink(long_name + number, attr_of(0777), "to/" + long_name + number));
  }
  NodeAttr attr = attr_of(0644);
  attr.xattrs = {{"user.large", std::string(3 << 20, 'v')}, {"user.other", std::string("a\0b", 3)}};
  must(builder.add_file("file", attr, 0, {}));
  Tree tree = built(builder);
  EXPECT_EQ(tree.entry_count(root_ino), 12001u);
  for (int i = 0; i < 12000; ++i) {
    Ino ino = tree.lookup(root_ino, long_name + std::to_string(i));
    ASSERT_NE(ino, no_ino);
    ASSERT_EQ(tree.symlink_target(ino), "to/" + long_name + std::to_string(i));
  }
  Ino file = tree.lookup(root_ino, "file");
  ASSERT_EQ(tree.xattr_count(file), 2u);
  EXPECT_EQ(tree.xattr(file, 0).value, attr.xattrs[0].second);
  EXPECT_EQ(tree.xattr(file, 1).value, attr.xattrs[1].second);
}

std::vector<std::byte> sample_image() {
  LayerTreeBuilder builder;
  NodeAttr attr = attr_of(0644);
  attr.xattrs = {{"user.x", "y"}};
  Extent extent = extent_of(0, "content");
  must(builder.add_file("a/file", attr, 7, std::span(&extent, 1)));
  must(builder.add_hard_link("b", "a/file"));
  must(builder.add_symlink("c", attr_of(0777), "a"));
  must(builder.add_whiteout("d"));
  return bytes_of(builder);
}

TEST(TreeTest, EveryCutAndEveryFlippedBitIsNoticed) {
  const std::vector<std::byte> image = sample_image();
  must(tree_from(image, TreeCheck::checksum));
  for (size_t size = 0; size < image.size(); ++size) {
    auto opened = tree_from(std::span(image).first(size), TreeCheck::checksum);
    ASSERT_FALSE(opened) << size;
    EXPECT_EQ(opened.error().code, EUCLEAN) << size;
  }
  for (size_t i = 0; i < image.size(); ++i) {
    auto changed = image;
    changed[i] ^= std::byte{4};
    auto opened = tree_from(changed, TreeCheck::checksum);
    // Bytes that are not summed would be bytes that do nothing.
    ASSERT_FALSE(opened) << "at byte " << i;
    EXPECT_EQ(opened.error().code, EUCLEAN) << i;
  }
}

// Makes the checksum fit again.
std::vector<std::byte> sealed(std::vector<std::byte> image) {
  auto summed = std::span(image).subspan(tree_checksum_from);
  uint64_t checksum = XXH3_64bits(summed.data(), summed.size());
  std::memcpy(image.data() + offsetof(TreeHeader, checksum), &checksum, sizeof checksum);
  return image;
}

TEST(TreeTest, ANameThatIsListedButNotFoundIsNoticed) {
  LayerTreeBuilder builder;
  for (const char* name : {"a", "b", "c"}) must(builder.add_file(name, attr_of(0644), 0, {}));
  must(builder.add_hard_link("z", "a"));
  const std::vector<std::byte> image = bytes_of(builder);
  must(tree_from(image));
  TreeHeader header;
  std::memcpy(&header, image.data(), sizeof header);
  // One slot over the others: each name's place is taken by another's.
  auto turned = image;
  auto* slots = turned.data() + header.slots.offset;
  std::rotate(slots, slots + sizeof(uint32_t), slots + header.slots.count * sizeof(uint32_t));
  EXPECT_EQ(tree_from(sealed(turned)).error().code, EUCLEAN);
  auto other = image;
  std::byte& name = other[header.aliases.offset + offsetof(TreeAliasRecord, name)];
  name ^= std::byte{1};  // now the next letter of the strings
  EXPECT_EQ(tree_from(sealed(other)).error().code, EUCLEAN);
}

}  // namespace
}  // namespace lyr::store
