// SPDX-License-Identifier: Apache-2.0
// READDIRPLUS gives the kernel an inode and a dentry for each name, whether anybody looks at them
// or not: 2 to 3 us each. Who only wants names and types (find, ls, a glob) is better off without;
// who wants more then asks for each by a LOOKUP, 10 us and more. Which of the two is at work shows
// when files are left alone that were listed without.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace lyr::unionfs {

// Not thread-safe. Directories are told apart by any number; those that have the same low bits are
// taken for one, which makes a few more listings full ones.
class AttributeUse {
 public:
  // A listing of `directory` begins, which has about so many names. False: those that are not
  // directories had better be given bare, without attributes (a node id of 0).
  bool begins(uint64_t directory, size_t names);
  // It goes on, as it began. For what begins() and this say, see found_file().
  bool goes_on(uint64_t directory) const { return !bare_[slot(directory)]; }
  // The listing has something that is not a directory, given `bare` or not: the first time it does,
  // after begins(). Listings that have nothing of that kind tell nothing.
  void found_file(uint64_t directory, bool bare);
  // A name that is there, but not a directory, was looked up in `directory`.
  void looked_up(uint64_t directory);

  static constexpr size_t names_min = 16;  // of directories to begin with: little is lost
  static constexpr size_t names_max = size_t{1} << 20;

 private:
  static constexpr size_t slots = size_t{1} << 14;
  static constexpr int grows_after = 4;       // bare listings: larger directories are, too
  static constexpr int forgives_after = 256;  // of them without a LOOKUP in any
  static constexpr int patience_min = 8;      // listings before the next one that is bare
  static constexpr int patience_max = 1024;

  static size_t slot(uint64_t directory) { return directory % slots; }

  std::bitset<slots> bare_;   // directories whose last listing was
  size_t names_ = names_min;  // of directories that are listed bare
  int alone_ = 0;             // bare listings since the last LOOKUP in one
  int pause_ = 0;             // listings until the next bare one
  int patience_ = patience_min;
};

}  // namespace lyr::unionfs
