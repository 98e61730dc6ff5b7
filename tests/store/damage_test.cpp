// SPDX-License-Identifier: Apache-2.0
// What a disk can do to a store: bits flipped, files cut or lost, no room left.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <xxhash.h>

#include <csignal>
#include <cstring>

#include "store/tree_format.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class DamageTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    sample_.file("small", content_of(3000, 1));
    sample_.file("large", content_of(400000, 2));
    load(sample_);
    close();
  }

  static void cut(const std::string& file, uint64_t size) {
    must(sys::truncate(must(sys::open(file.c_str(), O_RDWR)), size));
  }
  // Gives the tar back, or the error that says why not.
  Result<> replay() {
    reopen();
    return store().write_layer_tar(sample_.diff_id(),
                                   [](std::span<const std::byte>) -> Result<> { return {}; });
  }

  SampleLayer sample_;
};

TEST_F(DamageTest, AFlippedBitOfAPackNamesThePack) {
  std::string pack = only_file("packs", ".pack");
  flip(pack, 64 + 64 + 1000);  // in the first frame's payload
  auto replayed = replay();
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, EIO);
  std::string name = pack.substr(pack.rfind('/') + 1);
  EXPECT_NE(describe(replayed.error()).find(name), std::string::npos) << describe(replayed.error());
}

TEST_F(DamageTest, LoadingTheContentAgainMendsIt) {
  flip(only_file("packs", ".pack"), 64 + 64 + 1000);
  ASSERT_FALSE(replay());
  SampleLayer again;  // another layer with the same file
  again.file("copy", content_of(3000, 1));
  load(again);
  EXPECT_EQ(tar_of(again.diff_id()), again.tar());
  EXPECT_EQ(tar_of(sample_.diff_id()), sample_.tar());
}

TEST_F(DamageTest, ACutPackIsAnErrorOfItsObjectsOnly) {
  SampleLayer other;
  other.file("other", content_of(5000, 9));
  reopen();
  std::string pack = only_file("packs", ".pack");
  load(other);
  close();
  cut(pack, 5000);
  auto replayed = replay();
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, EIO);
  EXPECT_EQ(tar_of(other.diff_id()), other.tar());
}

TEST_F(DamageTest, ALostPackIsAnError) {
  must(sys::unlink_at(sys::cwd(), only_file("packs", ".pack").c_str()));
  auto replayed = replay();
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, EIO);
}

TEST_F(DamageTest, ALostIndexIsMadeAgain) {
  must(sys::unlink_at(sys::cwd(), (path() + "/index.tbl").c_str()));
  must(replay());
}

TEST_F(DamageTest, ALostIndexIsMadeAgainFromAPackWithoutFooter) {
  must(sys::unlink_at(sys::cwd(), (path() + "/index.tbl").c_str()));
  std::string pack = only_file("packs", ".pack");
  flip(pack, size_of(pack) - 20);
  must(replay());
}

TEST_F(DamageTest, AnIndexOfZerosThatClaimsToBeWholeIsMadeAgain) {
  Fd file = must(sys::open((path() + "/index.tbl").c_str(), O_RDWR));
  uint64_t size = size_of(path() + "/index.tbl");
  std::vector<std::byte> zeros(size - 64);
  must(sys::pwrite_all(file, zeros, 64));  // as after a power cut: the header alone was written
  must(replay());
}

TEST_F(DamageTest, AnIndexOfNoiseIsMadeAgain) {
  Fd file = must(sys::open((path() + "/index.tbl").c_str(), O_RDWR));
  std::string noise = content_of(size_of(path() + "/index.tbl") - 64, 5);
  must(sys::pwrite_all(file, std::as_bytes(std::span(noise)), 64));
  must(replay());
  close();
  file = must(sys::open((path() + "/index.tbl").c_str(), O_RDWR));
  must(sys::pwrite_all(file, std::as_bytes(std::span(noise)), 64));
  reopen();
  SampleLayer more;
  more.file("n", content_of(100, 3));
  load(more);
  EXPECT_EQ(tar_of(more.diff_id()), more.tar());
}

TEST_F(DamageTest, AnIndexWithANoisyHeaderIsMadeAgain) {
  for (uint64_t offset = 0; offset < 64; offset += 3) {
    close();
    flip(path() + "/index.tbl", offset);
    auto replayed = replay();
    EXPECT_TRUE(replayed) << offset;
    SampleLayer more;
    more.file("n", content_of(100 + offset, 3));
    load(more);
    EXPECT_EQ(tar_of(more.diff_id()), more.tar());
  }
}

// What the index does not know may still be needed.
TEST_F(DamageTest, ARemovalDoesNotBelieveTheIndex) {
  reopen();
  SampleLayer other;
  other.file("other", content_of(5000, 9));
  Digest other_id = load(other);
  ImageRecord image = image_of({other_id});
  {
    Import import = must(store().begin_import());
    must(import.commit(std::span(&image, 1), {}));
  }
  close();
  Fd file = must(sys::open((path() + "/index.tbl").c_str(), O_RDWR));
  std::vector<std::byte> zeros(size_of(path() + "/index.tbl") - 64);
  must(sys::pwrite_all(file, zeros, 64));
  reopen();
  must(store().remove_image(image.id));
  must(store().collect({}));
  EXPECT_EQ(names_in("packs").size(), 1u);
  must(replay());
}

TEST_F(DamageTest, AFlippedBitOfARecipeIsAnError) {
  std::string recipe = only_file("layers", ".recipe");
  for (uint64_t offset = 0; offset < size_of(recipe); ++offset) {
    flip(recipe, offset);
    auto replayed = replay();
    ASSERT_FALSE(replayed) << offset;
    EXPECT_EQ(replayed.error().code, EUCLEAN) << offset;
    flip(recipe, offset);
  }
  must(replay());
}

TEST_F(DamageTest, ACutRecipeIsAnError) {
  std::string recipe = only_file("layers", ".recipe");
  for (uint64_t size = size_of(recipe); size-- > 0;) {
    cut(recipe, size);
    auto replayed = replay();
    ASSERT_FALSE(replayed) << size;
  }
}

TEST_F(DamageTest, ALostLayerFileNamesTheLayer) {
  must(sys::unlink_at(sys::cwd(), only_file("layers", ".recipe").c_str()));
  auto replayed = replay();
  ASSERT_FALSE(replayed);
  EXPECT_NE(describe(replayed.error()).find(sample_.diff_id().text()), std::string::npos);
}

// With a right checksum, so that only a look at the records can tell.
void forge_tree(std::vector<std::byte>& bytes) {
  TreeHeader header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  TreeEntryRecord entry{};
  std::memcpy(&entry, bytes.data() + header.entries.offset, sizeof entry);
  entry.ino = 1u << 30;
  std::memcpy(bytes.data() + header.entries.offset, &entry, sizeof entry);
  auto summed = std::span(bytes).subspan(tree_checksum_from);
  header.checksum = XXH3_64bits(summed.data(), summed.size());
  std::memcpy(bytes.data(), &header, sizeof header);
}

TEST_F(DamageTest, AForgedTreeThatOthersCanWriteIsRefused) {
  std::string tree = only_file("layers", ".tree");
  Fd file = must(sys::open(tree.c_str(), O_RDWR));
  std::vector<std::byte> bytes(size_of(tree));
  must(sys::pread_exactly(file, bytes, 0));
  forge_tree(bytes);
  must(sys::pwrite_all(file, bytes, 0));
  must(sys::chmod_at(sys::cwd(), tree.c_str(), 0620));
  reopen();
  auto opened = store().open_layer_tree(sample_.diff_id());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EUCLEAN);
}

TEST_F(DamageTest, ACatalogueThatIsNoneSaysSo) {
  std::string catalogue = path() + "/catalog.mdb";
  Fd file = must(sys::open(catalogue.c_str(), O_RDWR));
  std::string noise = content_of(8192, 1);
  must(sys::pwrite_all(file, std::as_bytes(std::span(noise)), 0));
  auto opened = Store::open(path());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EUCLEAN);
  EXPECT_NE(describe(opened.error()).find("catalogue"), std::string::npos);
}

TEST_F(DamageTest, AWriteThatFailsKeepsNothing) {
  reopen();
  std::string before = files();
  auto child = must(sys::spawn([&] {
    static_cast<void>(::signal(SIGXFSZ, SIG_IGN));
    // As a disk that is full: no file may be longer.
    must(sys::set_rlimit(RLIMIT_FSIZE, {.rlim_cur = 3 << 20, .rlim_max = 3 << 20}));
    Import import = must(store().begin_import());
    LayerImport layer = must(import.begin_layer());
    SampleLayer large;
    large.file("large", content_of(20 << 20, 7));
    auto fed = large.try_feed(layer);
    if (fed) fed = layer.finish(large.record());
    return !fed && fed.error().code == EFBIG ? 0 : 1;
  }));
  EXPECT_EQ(must(sys::wait_pidfd(child.pidfd))->shell_code(), 0);
  EXPECT_EQ(files(), before);
  must(replay());
}

// On a file system of its own, which only root can make.
class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-disk-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=12m") == 0;
  }
  void TearDown() override {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
    must(sys::remove_all_at(sys::cwd(), path_.c_str()));
  }
  static Result<> load(Store& store, const SampleLayer& sample) {
    Import import = TRY(store.begin_import());
    LayerImport layer = TRY(import.begin_layer());
    TRY(sample.try_feed(layer));
    TRY(layer.finish(sample.record()));
    ImageRecord image = image_of({sample.diff_id()});
    return import.commit(std::span(&image, 1), {});
  }
  uint64_t used() {
    struct statvfs status = must(sys::stat_vfs(must(sys::open(path_.c_str(), O_RDONLY))));
    return (status.f_blocks - status.f_bfree) * status.f_frsize;
  }

  std::string path_;
  bool mounted_ = false;
};

TEST_F(FullDiskTest, AnImportWithoutRoomIsUndoneAndImagesCanStillBeRemoved) {
  if (!mounted_) GTEST_SKIP() << "mounting a tmpfs needs root";
  Store store = must(Store::open(path_ + "/store"));
  SampleLayer fits;
  fits.file("a", content_of(4 << 20, 1));
  must(load(store, fits));
  uint64_t before = used();
  SampleLayer too_large;
  too_large.file("b", content_of(9 << 20, 2));
  auto loaded = load(store, too_large);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ENOSPC);
  EXPECT_LE(used(), before);
  EXPECT_EQ(must(store.images()).size(), 1u);

  // Every last block taken.
  Fd filler = must(sys::open((path_ + "/filler").c_str(), O_WRONLY | O_CREAT, 0600));
  while (sys::write_all(filler, content_of(4096, 3))) {
  }
  filler.reset();
  must(store.remove_image(image_of({fits.diff_id()}).id));
  EXPECT_TRUE(must(store.images()).empty());
  must(store.collect({}));
  must(sys::unlink_at(sys::cwd(), (path_ + "/filler").c_str()));
  EXPECT_LT(used(), before - (4 << 20));
}

}  // namespace
}  // namespace lyr::store
