// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "tests/store/tree_text.h"

namespace lyr::store {
namespace {

using Names = std::vector<std::string>;

Tree merged(std::span<const Tree> layers) {
  std::vector<const Tree*> pointers;
  for (const Tree& layer : layers) pointers.push_back(&layer);
  return must(tree_from(bytes_of(must(merge_trees(pointers)))));
}

class MergeTest : public testing::Test {
 protected:
  // Starts the next layer.
  LayerTreeBuilder& layer() {
    builders_.emplace_back();
    return builders_.back();
  }
  Result<Spool> merge_spool() {
    layers_.clear();
    for (LayerTreeBuilder& builder : builders_) layers_.push_back(built(builder));
    std::vector<const Tree*> pointers;
    for (const Tree& tree : layers_) pointers.push_back(&tree);
    return merge_trees(pointers);
  }
  Tree merge() { return must(tree_from(bytes_of(must(merge_spool())))); }

  static void file(LayerTreeBuilder& builder, std::string_view path, uint32_t uid = 0) {
    must(builder.add_file(path, attr_of(0644, uid), 0, {}));
  }
  static uint32_t uid(const Tree& tree, std::string_view path) {
    Ino ino = resolve(tree, path, false);
    CHECK(ino != no_ino);
    return tree.attr(ino).uid;
  }

 private:
  std::deque<LayerTreeBuilder> builders_;  // references stay good
  std::vector<Tree> layers_;
};

TEST_F(MergeTest, NoLayersAreAnEmptyRoot) {
  Tree tree = merge();
  EXPECT_EQ(names_of(tree), Names{});
  EXPECT_EQ(tree.attr(root_ino).mode, S_IFDIR | 0755u);
}

TEST_F(MergeTest, AWhiteoutHidesLowerLayersOnly) {
  auto& low = layer();
  file(low, "a/gone");
  file(low, "a/kept");
  file(low, "b/inside/deep");
  auto& high = layer();
  must(high.add_whiteout("a/gone"));
  must(high.add_whiteout("b"));
  must(high.add_whiteout("never/was"));
  EXPECT_EQ(names_of(merge()), (Names{"/a", "/a/kept", "/never"}));
}

TEST_F(MergeTest, ANameAndItsWhiteoutInOneLayerKeepTheName) {
  file(layer(), "d/lower");
  auto& first = layer();  // the whiteout before the name
  must(first.add_whiteout("d"));
  file(first, "d/upper");
  EXPECT_EQ(names_of(merge()), (Names{"/d", "/d/upper"}));
}

TEST_F(MergeTest, AWhiteoutAfterItsNameHidesTheLowerOneOnly) {
  file(layer(), "d/lower");
  auto& high = layer();
  file(high, "d/upper");
  must(high.add_whiteout("d"));
  EXPECT_EQ(names_of(merge()), (Names{"/d", "/d/upper"}));
}

TEST_F(MergeTest, AnOpaqueMarkActsFirstWhereverItStands) {
  file(layer(), "d/lower");
  auto& high = layer();
  file(high, "d/upper");
  must(high.set_opaque("d"));
  Tree tree = merge();
  EXPECT_EQ(names_of(tree), (Names{"/d", "/d/upper"}));
  EXPECT_FALSE(tree.attr(tree.lookup(root_ino, "d")).opaque);
}

TEST_F(MergeTest, AnOpaqueRootHidesAllThatWas) {
  file(layer(), "old");
  auto& high = layer();
  must(high.set_opaque(""));
  file(high, "new");
  EXPECT_EQ(names_of(merge()), (Names{"/new"}));
}

TEST_F(MergeTest, ADirectoryOverADirectoryTakesItsAttributes) {
  auto& low = layer();
  must(low.add_directory("d", attr_of(0700, 1)));
  file(low, "d/x");
  must(layer().add_directory("d", attr_of(0755, 2)));
  Tree tree = merge();
  EXPECT_EQ(names_of(tree), (Names{"/d", "/d/x"}));
  EXPECT_EQ(uid(tree, "d"), 2u);
}

TEST_F(MergeTest, AnImplicitDirectoryKeepsTheLowerOnesAttributes) {
  must(layer().add_directory("d", attr_of(01777, 9)));
  file(layer(), "d/x");
  Tree tree = merge();
  EXPECT_EQ(tree.attr(resolve(tree, "d", true)).mode, S_IFDIR | 01777u);
  EXPECT_EQ(uid(tree, "d"), 9u);
}

TEST_F(MergeTest, FilesAndDirectoriesReplaceEachOther) {
  auto& low = layer();
  file(low, "to_dir");
  file(low, "to_file/x");
  must(low.add_symlink("link", attr_of(0777), "to_file"));
  auto& high = layer();
  file(high, "to_dir/x");
  file(high, "to_file");
  must(high.add_directory("link", attr_of(0755)));
  Tree tree = merge();
  EXPECT_EQ(names_of(tree), (Names{"/link", "/to_dir", "/to_dir/x", "/to_file"}));
  EXPECT_TRUE(S_ISDIR(tree.attr(resolve(tree, "link", false)).mode));
}

TEST_F(MergeTest, AHardLinkReachesALowerLayersFile) {
  file(layer(), "a/low", 42);
  auto& high = layer();
  must(high.add_hard_link("b", "a/low"));
  Tree tree = merge();
  EXPECT_EQ(uid(tree, "b"), 42u);
  EXPECT_EQ(resolve(tree, "b", true), resolve(tree, "a/low", true));
  EXPECT_EQ(tree.attr(resolve(tree, "b", true)).nlink, 2u);
}

TEST_F(MergeTest, AHardLinkOutlivesItsTargetsWhiteout) {
  file(layer(), "old", 42);
  auto& high = layer();
  must(high.add_hard_link("new", "old"));
  must(high.add_whiteout("old"));
  Tree tree = merge();
  EXPECT_EQ(names_of(tree), (Names{"/new"}));
  EXPECT_EQ(uid(tree, "new"), 42u);
  EXPECT_EQ(tree.attr(resolve(tree, "new", true)).nlink, 1u);
}

TEST_F(MergeTest, AHardLinkToALinkOfTheSameLayerReachesTheLowerFile) {
  file(layer(), "z", 42);
  auto& high = layer();
  must(high.add_hard_link("m", "z"));
  must(high.add_hard_link("a", "m"));
  Tree tree = merge();
  EXPECT_EQ(uid(tree, "a"), 42u);
  EXPECT_EQ(resolve(tree, "a", true), resolve(tree, "z", true));
}

TEST_F(MergeTest, AHardLinkToAFileThatALaterEntryReplacesKeepsTheLowerFile) {
  file(layer(), "old", 42);
  auto& high = layer();
  must(high.add_hard_link("new", "old"));
  file(high, "old", 7);
  Tree tree = merge();
  EXPECT_EQ(uid(tree, "new"), 42u);
  EXPECT_EQ(uid(tree, "old"), 7u);
}

TEST_F(MergeTest, AHardLinkToNothingIsAnErrorThatNamesIt) {
  file(layer(), "a");
  must(layer().add_hard_link("b", "nowhere/file"));
  auto bytes = merge_spool();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ENOENT);
  EXPECT_NE(describe(bytes.error()).find("nowhere/file"), std::string::npos);
}

TEST_F(MergeTest, LowerHardLinksStayOneFileUntilOneIsReplaced) {
  auto& low = layer();
  file(low, "one", 1);
  must(low.add_hard_link("two", "one"));
  must(low.add_hard_link("three", "one"));
  file(layer(), "two", 2);
  Tree tree = merge();
  EXPECT_EQ(resolve(tree, "one", true), resolve(tree, "three", true));
  EXPECT_EQ(tree.attr(resolve(tree, "one", true)).nlink, 2u);
  EXPECT_EQ(uid(tree, "two"), 2u);
}

// The rules of image-spec layer.md said once more, on nothing but a map of paths: a layer is
// first taken away from, then added to.
class PathModel {
 public:
  struct Layer {
    std::map<std::string, uint32_t> entries;  // path to uid; directories end with '/'
    std::vector<std::string> whiteouts;
    std::vector<std::string> opaque;  // directories
  };

  void apply(const Layer& layer) {
    for (const std::string& path : layer.whiteouts) remove(path);
    for (const std::string& path : layer.opaque) remove_below(path);
    for (const auto& [path, uid] : layer.entries) add(path, uid);
  }
  Names names() const {
    Names lines;
    for (const auto& [path, uid] : paths_) lines.push_back("/" + path + " " + std::to_string(uid));
    return lines;
  }

 private:
  void remove_below(const std::string& path) {
    std::erase_if(paths_, [&](const auto& entry) {
      return entry.first.starts_with(path + "/") && entry.first.size() > path.size() + 1;
    });
  }
  void remove(const std::string& path) {
    remove_below(path);
    paths_.erase(path);
    paths_.erase(path + "/");
  }
  void add(const std::string& path, uint32_t uid) {
    if (path.ends_with('/')) {
      paths_.erase(path.substr(0, path.size() - 1));
    } else {
      remove(path);
    }
    paths_[path] = uid;
  }
  std::map<std::string, uint32_t> paths_;
};

// Makes a layer in which every directory is described, names nothing twice, and hides things.
PathModel::Layer random_layer(std::mt19937& random, LayerTreeBuilder& builder) {
  PathModel::Layer layer;
  auto name = [&] { return std::string(1, static_cast<char>('a' + random() % 4)); };
  for (int i = 0; i < 8; ++i) {
    std::string path;
    for (unsigned depth = 0; depth < random() % 3; ++depth) {
      path += name();
      if (layer.entries.contains(path)) break;  // a file already: below it is nothing
      layer.entries.try_emplace(path + "/", random() % 1000);
      path += "/";
    }
    std::string leaf = path + name();
    if (layer.entries.contains(leaf) || layer.entries.contains(leaf + "/")) continue;
    if (random() % 3 == 0) {
      layer.whiteouts.push_back(leaf);
    } else if (random() % 4 == 0) {
      layer.entries.emplace(leaf + "/", random() % 1000);
      layer.opaque.push_back(leaf);
    } else {
      layer.entries.emplace(leaf, random() % 1000);
    }
  }
  for (const auto& [path, uid] : layer.entries) {
    if (path.ends_with('/')) {
      must(builder.add_directory(path, attr_of(0755, uid)));
    } else {
      must(builder.add_file(path, attr_of(0644, uid), 0, {}));
    }
  }
  for (const std::string& path : layer.whiteouts) must(builder.add_whiteout(path));
  for (const std::string& path : layer.opaque) must(builder.set_opaque(path));
  return layer;
}

void list_uids(const Tree& tree, Ino directory, const std::string& path, Names& lines) {
  for (uint32_t i = 0; i < tree.entry_count(directory); ++i) {
    TreeEntry entry = tree.entry(directory, i);
    bool is_directory = S_ISDIR(tree.attr(entry.ino).mode);
    std::string name = path + std::string(entry.name) + (is_directory ? "/" : "");
    lines.push_back("/" + name + " " + std::to_string(tree.attr(entry.ino).uid));
    if (is_directory) list_uids(tree, entry.ino, name, lines);
  }
}

TEST(MergeModelTest, RandomLayersMergeAsTheSpecSays) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    PathModel model;
    std::vector<Tree> layers;
    for (unsigned i = 0; i < 1 + seed % 5; ++i) {
      LayerTreeBuilder builder;
      model.apply(random_layer(random, builder));
      layers.push_back(built(builder));
    }
    Tree tree = merged(layers);
    Names lines;
    list_uids(tree, root_ino, "", lines);
    std::sort(lines.begin(), lines.end());
    Names wanted = model.names();
    std::sort(wanted.begin(), wanted.end());
    ASSERT_EQ(lines, wanted) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lyr::store
