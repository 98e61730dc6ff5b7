// SPDX-License-Identifier: Apache-2.0
// Layers of content alone ("data-only" in overlayfs.rst): none of their names show, and files of
// the layers above that were made without content say by a redirect where theirs is. Needs root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"
#include "unionfs/format.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

// The parameter: by which prefix files say so.
class DataLayers : public testing::TestWithParam<const char*> {
 protected:
  DataLayers() : base_(fs::temp_directory_path() / ("lyr-data." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    for (const char* path : {"/low/d", "/data1/ab", "/data2/ab", "/overlay"})
      fs::create_directories(base_ + path);
    std::ofstream(base_ + "/data1/ab/both") << "content of data1";
    std::ofstream(base_ + "/data2/ab/both") << "content of data2";
    std::ofstream(base_ + "/data2/ab/second") << "second";
    std::ofstream(base_ + "/data2/top") << "at the top";
    std::ofstream(base_ + "/low/plain") << "a file as any other";
    fs::create_directories(base_ + "/data1/ab/second");  // in the way, but no file
    fs::create_symlink("both", base_ + "/data1/ab/link");
    UnionMount::enter_private_namespace();
  }
  ~DataLayers() override { fs::remove_all(base_); }

  bool trusted() const { return GetParam() == trusted_prefix; }
  void make(const std::string& path, off_t size, const std::string& redirect) {
    make_with(GetParam(), path, size, redirect);
  }
  void make_with(std::string prefix, const std::string& path, off_t size,
                 const std::string& redirect) {
    std::string file = base_ + path;
    std::ofstream created(file);
    EXPECT_EQ(truncate(file.c_str(), size), 0);
    EXPECT_EQ(chmod(file.c_str(), 0604), 0);
    EXPECT_EQ(setxattr(file.c_str(), (prefix + "metacopy").c_str(), "", 0, 0), 0);
    std::string name = prefix + "redirect";
    EXPECT_EQ(setxattr(file.c_str(), name.c_str(), redirect.data(), redirect.size(), 0), 0);
  }
  UnionMount::Settings settings() const {
    UnionMount::Settings settings;
    settings.plain_lower = true;
    settings.trusted_xattrs = trusted();
    settings.layers = {base_ + "/low"};
    settings.data_layers = {base_ + "/data1", base_ + "/data2"};
    return settings;
  }

  std::string base_;
};

TEST_P(DataLayers, ShowWhatOverlayfsShows) {
  make("/low/d/both", 16, "/ab/both");
  make("/low/second", 6, "/ab/second");
  make("/low/top", 10, "/top");
  std::string options = "lowerdir=" + base_ + "/low::" + base_ + "/data1::" + base_ + "/data2";
  options += trusted() ? ",metacopy=on,redirect_dir=follow" : ",userxattr";
  std::string at = base_ + "/overlay";
  ASSERT_EQ(mount("overlay", at.c_str(), "overlay", MS_RDONLY, options.c_str()), 0)
      << strerror(errno);
  auto expected = snapshot(at, true);
  EXPECT_EQ(read_or_error(at + "/d/both"), "content of data1");
  ASSERT_EQ(umount(at.c_str()), 0);
  UnionMount mounted(base_ + "/scratch", "", settings());
  EXPECT_EQ(differences(snapshot(mounted.path(), true), expected), "");
  EXPECT_EQ(read_or_error(mounted.path() + "/second"), "second");
  EXPECT_EQ(read_or_error(mounted.path() + "/top"), "at the top");
  EXPECT_FALSE(fs::exists(mounted.path() + "/ab"));
  std::ofstream(mounted.path() + "/d/both", std::ios::app) << ", and more";
  mounted.remount();
  EXPECT_EQ(read_or_error(mounted.path() + "/d/both"), "content of data1, and more");
  EXPECT_EQ(read_or_error(base_ + "/data1/ab/both"), "content of data1");
}

TEST_P(DataLayers, AreFoundThroughLayersThatHaveAttributesAlone) {
  make("/low/f", 16, "/ab/both");
  fs::create_directories(base_ + "/above");
  make_with("trusted.overlay.", "/above/f", 16, "");
  ASSERT_EQ(removexattr((base_ + "/above/f").c_str(), "trusted.overlay.redirect"), 0);
  auto with = settings();
  with.layers = {base_ + "/above", base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", with);
  EXPECT_EQ(read_or_error(mounted.path() + "/f"),
            trusted() ? "content of data1" : std::string(16, '\0'));
}

TEST_P(DataLayers, HaveNoOtherFilesThanRegularOnes) {
  make("/low/gone", 5, "/ab/gone");
  make("/low/shorter", 5, "/ab/both");
  make("/low/link", 4, "/ab/link");
  make("/low/directory", 4, "/ab");
  make("/low/out", 5, "/../low/plain");
  make("/low/sibling", 5, "top");
  make("/low/root", 5, "/");
  make("/low/nothing", 5, "");
  std::string far;
  for (int i = 0; i < 100; ++i) far += "/" + std::string(30, 'x');
  make("/low/far", 5, far.substr(0, 250) + "/both");
  UnionMount mounted(base_ + "/scratch", "", settings());
  for (const char* path : {"/gone", "/shorter", "/link", "/directory", "/out", "/sibling", "/root",
                           "/nothing", "/far"}) {
    std::string said = read_or_error(mounted.path() + path);
    EXPECT_TRUE(said == "EIO" || said == "EINVAL") << path << ": " << said;
  }
  EXPECT_EQ(read_or_error(mounted.path() + "/plain"), "a file as any other");
}

// Any user can set such attributes of his files: they count only for who mounts so.
TEST_P(DataLayers, AreNotOpenedByAUsersWord) {
  make_with("user.overlay.", "/low/f", 16, "/ab/both");
  auto with = settings();
  with.trusted_xattrs = true;
  {
    UnionMount mounted(base_ + "/scratch", "", with);
    EXPECT_EQ(read_or_error(mounted.path() + "/f"), std::string(16, '\0'));
  }
  with.trusted_xattrs = false;
  make_with("user.overlay.", "/low/plain_redirect", 19, "/plain");
  UnionMount mounted(base_ + "/second", "", with);
  EXPECT_EQ(read_or_error(mounted.path() + "/plain_redirect"), "EIO")
      << "in a layer, not in a data layer";
}

INSTANTIATE_TEST_SUITE_P(Marks, DataLayers, testing::Values("trusted.overlay.", "user.overlay."));

}  // namespace
}  // namespace lyr::unionfs
