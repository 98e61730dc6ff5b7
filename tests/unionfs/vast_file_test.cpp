// SPDX-License-Identifier: Apache-2.0
// A file that is longer than 32 bits count, most of it holes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/fd.h"
#include "tests/unionfs/semantics.h"

namespace lyr::unionfs {
namespace {

class VastFile : public Semantics {
 protected:
  static constexpr off_t size = 5LL << 30;
  static constexpr off_t places[] = {0, (4LL << 30) + 12345, size - 5000};

  VastFile() : Semantics(add) {}
  static std::string data_at(off_t place) {
    return std::string(5000, static_cast<char>('a' + (place >> 30)));
  }
  static void add(const std::string& plain) {
    Fd file(open((plain + "/vast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    for (off_t place : places)
      EXPECT_EQ(pwrite(file.get(), data_at(place).data(), 5000, place), 5000);
  }
  // Whether it is as it was made, but for `text` in the middle of a hole. How much room it takes is
  // known of a copy only: an image's file says that it takes as much as it is long.
  void check(const std::string& text, bool copied) const {
    Fd file(open(at("/vast").c_str(), O_RDONLY | O_CLOEXEC));
    auto read_at = [&](off_t from, size_t length) {
      std::string bytes(length, '?');
      ssize_t got = pread(file.get(), bytes.data(), length, from);
      bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
      return bytes;
    };
    for (off_t place : places) EXPECT_EQ(read_at(place, 5000), data_at(place)) << place;
    EXPECT_EQ(read_at(middle, text.size() + 10), text + std::string(10, '\0'));
    for (off_t hole : {size / 5, size / 5 * 4 - 5000, size / 5 * 4, size - 10000})
      EXPECT_EQ(read_at(hole, 5000), std::string(5000, '\0')) << hole;
    struct stat status{};
    ASSERT_EQ(fstat(file.get(), &status), 0);
    EXPECT_EQ(status.st_size, size);
    // By overlayfs it may begin earlier, as that copies in steps of 1 MiB.
    off_t data = lseek(file.get(), places[1] - (256 << 20), SEEK_DATA);
    EXPECT_LE(data, places[1]);
    EXPECT_GT(data, places[1] - (2 << 20));
    if (copied) {
      EXPECT_LT(status.st_blocks * 512, 16 << 20);
      EXPECT_GT(status.st_blocks, 0);
    }
  }
  static constexpr off_t middle = 3LL << 30;
};

TEST_P(VastFile, IsCopiedUpWithItsHoles) {
  check("", false);
  Fd file(open(at("/vast").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(pwrite(file.get(), "written", 7, middle), 7);
  check("written", false);
  file.reset();
  mounted_->remount();
  check("written", true);
  struct stat upper{};
  ASSERT_EQ(stat((mounted_->upper() + "/vast").c_str(), &upper), 0);
  EXPECT_EQ(upper.st_size, size);
  EXPECT_LT(upper.st_blocks * 512, 16 << 20);
  EXPECT_GT(upper.st_blocks, 0);
}

INSTANTIATE_TEST_SUITE_P(Lower, VastFile, testing::ValuesIn(every_mode()), mode_name);

}  // namespace
}  // namespace lyr::unionfs
