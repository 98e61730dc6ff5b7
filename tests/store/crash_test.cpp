// SPDX-License-Identifier: Apache-2.0
// An importer is killed at each of its system calls that change something, one after the other;
// each time the store must open as it is, show the import whole or not at all, and take it again.
#include "tests/store/killed_at.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class CrashTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    before_.file("kept", content_of(150000, 1));
    before_.file("shared", content_of(50000, 2));
    load(before_);
    low_.file("shared", content_of(50000, 2));
    low_.file("big", content_of(900000, 3));
    low_.file("small", "x");
    high_.file("more", content_of(30000, 4));
    high_.whiteout("small");
    image_ = image_of({low_.diff_id(), high_.diff_id()});
  }

  Result<> import_image(Store& store) { return import_pair(store, low_, high_, blob_); }
  // Opened anew, as the next command would.
  int import_in_child() {
    auto store = Store::open(path());
    if (!store) return 1;
    return import_image(*store) ? 0 : 2;
  }

  // The image is here whole, or not at all.
  bool check_visible() {
    auto found = must(store().image(image_.id));
    EXPECT_EQ(must(store().tag("docker.io/library/x:latest")).has_value(), found.has_value());
    EXPECT_EQ(must(store().layer(low_.diff_id())).has_value(), found.has_value());
    EXPECT_EQ(must(store().layer(high_.diff_id())).has_value(), found.has_value());
    EXPECT_EQ(tar_of(before_.diff_id()), before_.tar());
    if (!found) return false;
    EXPECT_EQ(tar_of(low_.diff_id()), low_.tar());
    EXPECT_EQ(tar_of(high_.diff_id()), high_.tar());
    std::string blob;
    auto layer = must(store().layer(high_.diff_id()));
    must(store().write_layer_blob(*layer, [&](std::span<const std::byte> piece) -> Result<> {
      blob.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    EXPECT_EQ(blob, blob_);
    Tree tree = must(store().open_image_tree(image_.chain_id));
    EXPECT_EQ(names_of(tree), (std::vector<std::string>{"/big", "/more", "/shared"}));
    return true;
  }

  SampleLayer before_;
  SampleLayer low_;
  SampleLayer high_;
  const std::string blob_ = content_of(40000, 5);  // what high_ is compressed
  ImageRecord image_;
};

TEST_F(CrashTest, AnImportKilledAtAnyCallIsWholeOrAbsent) {
  int invisible = 0;
  int visible = 0;
  for (int point = 0;; ++point) {
    SCOPED_TRACE("killed at call " + std::to_string(point));
    close();
    bool killed = killed_at(point, [&] { return import_in_child(); });
    reopen();
    (check_visible() ? visible : invisible) += 1;
    must(import_image(store()));
    ASSERT_TRUE(check_visible());
    // Two layers with recipe and tree, and the one from before; no file of the dead import.
    EXPECT_EQ(names_in("layers").size(), 6u);
    EXPECT_EQ(names_in("trees").size(), 2u);
    EXPECT_EQ(names_in("blobs").size(), 1u);
    EXPECT_LE(names_in("packs").size(), 2u);
    if (!killed || HasFailure()) break;
    must(store().remove_image(image_.id));
    must(store().collect({}));
    ASSERT_EQ(names_in("layers").size(), 2u);
    ASSERT_EQ(names_in("blobs").size(), 0u);
    ASSERT_EQ(names_in("packs").size(), 1u);
  }
  EXPECT_GT(invisible, 20);  // else the calls were not seen
  EXPECT_GT(visible, 0);
}

TEST_F(CrashTest, ARemovalKilledAtAnyCallIsDoneOrNot) {
  for (int point = 0;; ++point) {
    SCOPED_TRACE("killed at call " + std::to_string(point));
    must(import_image(store()));
    close();
    bool killed = killed_at(point, [&] {
      auto store = Store::open(path());
      return store && store->remove_image(image_.id) ? 0 : 1;
    });
    reopen();
    bool visible = check_visible();
    if (!killed || HasFailure()) {
      EXPECT_FALSE(visible);
      break;
    }
  }
  must(import_image(store()));
  EXPECT_TRUE(check_visible());
}

TEST_F(CrashTest, AStoreBeingMadeOpensAfterAnyKill) {
  std::string fresh = path() + "/fresh";
  for (int point = 0;; ++point) {
    SCOPED_TRACE("killed at call " + std::to_string(point));
    bool killed = killed_at(point, [&] { return Store::open(fresh) ? 0 : 1; });
    {
      Store store = must(Store::open(fresh));
      EXPECT_TRUE(must(store.images()).empty());
    }
    must(sys::remove_all_at(sys::cwd(), fresh.c_str()));
    if (!killed || HasFailure()) break;
  }
}

}  // namespace
}  // namespace lyr::store
