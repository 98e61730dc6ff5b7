// SPDX-License-Identifier: Apache-2.0
// The upper directory and its work directory: every change becomes visible by one rename or one
// creation, so that a crash leaves either the old or the new. What lies in the work directory is
// rubbish from the next start on.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/format.h"
#include "unionfs/shared_fd.h"

namespace lyr::unionfs {

// A name in the work directory. What it stands for goes when this does, unless it found its place.
class Temporary {
 public:
  Temporary(SharedFd work, std::string name) : work_(std::move(work)), name_(std::move(name)) {}
  Temporary(Temporary&&) = default;
  Temporary& operator=(Temporary&&) = delete;
  ~Temporary();

  const Fd& work() const { return *work_; }
  const char* name() const { return name_.c_str(); }
  void placed() { work_.reset(); }

 private:
  SharedFd work_;  // null: there is nothing to remove
  std::string name_;
};

class Upper {
 public:
  Upper() = default;  // there is none: the union is read-only
  bool present() const { return root_ != nullptr; }

  // Empties `work`, but for `orphans` when they are to be kept, and finds out how whiteouts can be
  // made there.
  static Result<Upper> open(Fd directory, Fd work, bool trusted_xattrs, bool keep_orphans = false);

  const SharedFd& root() const { return root_; }
  const SharedFd& work() const { return work_; }
  const Format& format() const { return format_; }

  // A name in the work directory for a file that has no other: of one node of the union.
  static std::string orphan_name(uint64_t node) {
    return std::string(1, orphan_prefix) + std::to_string(node);
  }
  static constexpr char orphan_prefix = 'o';
  // Of the work directory this stays: overlayfs keeps there why the upper is not to be used.
  static constexpr const char* incompatible = "incompat";

  // A name that nothing in the work directory has. Not thread-safe, like all below: the union's
  // lock guards it.
  Temporary temporary();

  // May be one inode with any other whiteout: only its name is the caller's.
  Result<Temporary> make_whiteout();
  // A whiteout where `directory` has nothing.
  Result<> whiteout_absent(const Fd& directory, const char* name);
  // A whiteout in place of what is not a directory: one rename.
  Result<> whiteout_over(const Fd& directory, const char* name);

  // Before a whiteout is put into `directory` by other means than these.
  Result<> allow_whiteouts(const Fd& directory);

  Result<> set_mark(const Fd& object, std::string_view mark, std::string_view value);
  // Keeps the st_ino of what an object is a copy of, where attributes can be kept.
  Result<> note_number(const Fd& object, uint64_t number);

 private:
  // `directory`, the work directory or one of the upper, has nothing of that name.
  Result<> make_whiteout_device(const Fd& directory, const char* name);

  Upper(SharedFd root, SharedFd work) : root_(std::move(root)), work_(std::move(work)) {}
  SharedFd root_;
  SharedFd work_;
  Format format_;
  uint64_t temporaries_ = 0;
  std::string whiteout_;  // in the work directory: a device that others are links of; empty: none
};

// The marks of an upper object, even where its mode does not let us read it.
Result<Marks> read_own_marks(const Fd& object);

// Whether an upper object with this status is a whiteout made as a device.
bool is_device_whiteout(const struct stat& status);

}  // namespace lyr::unionfs
