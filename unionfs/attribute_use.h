// SPDX-License-Identifier: Apache-2.0
// READDIRPLUS gives the kernel an inode and a dentry for each name, whether anybody looks at them
// or not: 2 to 3 us each. Who only wants names and types (find, ls, a glob, an interpreter that
// looks for a module) is better off without; who wants more then asks for each by a LOOKUP, 10 us
// and more. Which of the two is at work shows when names are left alone that were listed without.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lyr::unionfs {

// Not thread-safe. Directories are told apart by any number but 0.
class AttributeUse {
 public:
  // A listing of `directory` begins, which has about so many names. False: those that are not
  // directories had better be given without attributes (a node id of 0).
  bool begins(uint64_t directory, size_t names);
  // It goes on, as it began.
  bool goes_on(uint64_t directory) const { return !is_bare(directory); }
  // A name that is there, but not a directory, was looked up in `directory`.
  void looked_up(uint64_t directory);

  static constexpr size_t names_min = 16;  // of directories to begin with: little is lost
  static constexpr size_t names_max = size_t{1} << 20;

 private:
  static constexpr size_t remembered = 64;   // listings
  static constexpr int convinced_after = 4;  // bare listings, of larger directories, too
  static constexpr int patience_min = 8;     // listings before the next one that is bare
  static constexpr int patience_max = 1024;

  bool is_bare(uint64_t directory) const;

  std::array<uint64_t, remembered> bare_{};  // the last ones that were
  size_t next_ = 0;                          // of bare_
  size_t names_ = names_min;                 // of directories that are listed bare
  int alone_ = 0;                            // bare listings of late without a LOOKUP
  int pause_ = 0;                            // listings until the next bare one
  int patience_ = patience_min;
};

}  // namespace lyr::unionfs
