// SPDX-License-Identifier: Apache-2.0
// A union in each of its forms beside a plain directory with the same in it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "tests/unionfs/player.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {

inline std::string told(long result) {
  return result >= 0 ? std::to_string(result) : std::strerror(errno);
}

// Over a tree, over plain directories, and with overlayfs over a tree.
class Semantics : public testing::TestWithParam<Below> {
 protected:
  // `add` puts more into the plain directory, before it is the image.
  explicit Semantics(const std::function<void(const std::string& plain)>& add = {})
      : base_(std::filesystem::temp_directory_path() /
              ("lyr-semantics." + std::to_string(getpid()))),
        plain_(base_ + "/plain") {
    std::filesystem::remove_all(base_);
    std::filesystem::create_directories(plain_ + "/d/inner");
    write_file(plain_ + "/f", std::string(20000, 'f'));
    write_file(plain_ + "/log", "");
    std::filesystem::create_symlink("f", plain_ + "/link");
    std::string large(3 << 20, 'l');
    for (size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>(i / 997);
    write_file(plain_ + "/large", large);
    write_file(plain_ + "/sparse", std::string(200000, 's') + std::string(4 << 20, '\0') + "end");
    write_file(plain_ + "/d/name", "one file");
    std::filesystem::create_hard_link(plain_ + "/d/name", plain_ + "/d/inner/second");
    std::filesystem::create_hard_link(plain_ + "/d/name", plain_ + "/third");
    if (add) add(plain_);
    if (can_be_had(GetParam()))
      mounted_.emplace(base_ + "/scratch", plain_, settings_for(GetParam()));
  }
  void SetUp() override {
    if (!mounted_) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
  }
  ~Semantics() override {
    mounted_.reset();
    std::filesystem::remove_all(base_);
  }

  std::string at(const char* path) const { return mounted_->path() + path; }

  // The same on both sides: what `act` says, and the trees afterwards, also after a new mount.
  void compare(const std::function<std::string(const std::string& root)>& act) {
    EXPECT_EQ(act(mounted_->path()), act(plain_));
    EXPECT_EQ(difference(), "");
    mounted_->remount();
    EXPECT_EQ(difference(), "") << "after a new mount";
  }
  std::string difference() const {
    return differences(snapshot(mounted_->path(), false, links_compared(GetParam())),
                       snapshot(plain_, false, links_compared(GetParam())));
  }

  std::string base_, plain_;
  std::optional<UnionMount> mounted_;
};

}  // namespace lyr::unionfs
