// SPDX-License-Identifier: Apache-2.0
// What fsync does to the upper's file system.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

enum class Blocks { none, some, not_told };  // on disk; not told: by this file system

Blocks blocks(const std::string& path) {
  std::vector<std::byte> room(sizeof(struct fiemap) + sizeof(struct fiemap_extent));
  auto* asked = reinterpret_cast<struct fiemap*>(room.data());
  asked->fm_length = FIEMAP_MAX_OFFSET;
  asked->fm_extent_count = 1;
  int file = open(path.c_str(), O_RDONLY);
  EXPECT_GE(file, 0) << path;
  bool told = ioctl(file, FS_IOC_FIEMAP, asked) == 0;
  close(file);
  if (!told) return Blocks::not_told;
  struct fiemap_extent extent{};
  std::memcpy(&extent, room.data() + sizeof *asked, sizeof extent);
  bool there = asked->fm_mapped_extents == 1 && (extent.fe_flags & FIEMAP_EXTENT_DELALLOC) == 0;
  return there ? Blocks::some : Blocks::none;
}

// As a package manager does: it unpacks all files, then has each put on disk. Whoever else calls
// sync(2) meanwhile puts them there first: then it tries with other files.
TEST(Fsync, OfOneOfManySendsTheOthersOnTheirWay) {
  constexpr int files = 3;
  constexpr int tries = 1000;
  std::string base = fs::temp_directory_path() / ("lyr-fsync." + std::to_string(getpid()));
  fs::create_directories(base + "/plain");
  {
    UnionMount mounted(base + "/scratch", base + "/plain");
    Blocks before = Blocks::some;
    for (int first = 0; before == Blocks::some && first < tries * files; first += files) {
      auto name = [first](int i) { return "/f" + std::to_string(first + i); };
      for (int i = 0; i < files; ++i) {
        std::ofstream(mounted.path() + name(i)) << std::string(5000, 'x');
      }
      before = blocks(mounted.upper() + name(1));
      if (before != Blocks::none) continue;
      int file = open((mounted.path() + name(0)).c_str(), O_RDWR);
      EXPECT_EQ(fsync(file), 0);
      close(file);
      for (int i = 0; i < files; ++i) {
        EXPECT_EQ(blocks(mounted.upper() + name(i)), Blocks::some) << i;
      }
    }
    EXPECT_NE(before, Blocks::some) << "all files were on disk before anybody asked for it";
  }
  fs::remove_all(base);
}

}  // namespace
}  // namespace lyr::unionfs
