// SPDX-License-Identifier: Apache-2.0
#include "unionfs/upper.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "base/sys_file.h"
#include "unionfs/acl.h"
#include "unionfs/owner_access.h"

namespace lyr::unionfs {
namespace {

Result<> empty_directory(const Fd& directory, bool keep_orphans) {
  std::vector<std::string> names;
  TRY(sys::read_directory(directory, [&](const sys::DirectoryEntry& entry) {
    bool orphan = entry.name.front() == Upper::orphan_prefix;
    bool kept = (orphan && keep_orphans) || entry.name == Upper::incompatible;
    if (!kept) names.emplace_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) TRY(sys::remove_all_at(directory, name.c_str()));
  return {};
}

}  // namespace

Result<Upper> Upper::open(Fd directory, Fd work, bool trusted_xattrs, bool keep_orphans) {
  // Read from new descriptors: the given ones may be O_PATH, or have been read from already.
  Fd root = TRY(sys::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  Fd scratch = TRY(sys::open_at(work, ".", O_RDONLY | O_DIRECTORY));
  TRY(empty_directory(scratch, keep_orphans));
  TRY(remove_acls(scratch));  // else what is made there inherits them
  Upper upper(std::make_shared<const Fd>(std::move(root)),
              std::make_shared<const Fd>(std::move(scratch)));
  upper.format_.trusted = trusted_xattrs;
  Temporary probe = upper.temporary();
  auto made = sys::mknod_at(probe.work(), probe.name(), S_IFCHR, 0);
  // On a full disk nothing can be tried, but a container can still read, and remove what is new.
  bool full = !made && (made.error().code == ENOSPC || made.error().code == EDQUOT);
  if (!made && !full && made.error().code != EPERM) return Failure(std::move(made).error());
  upper.format_.device_whiteouts = made.has_value() || full;
  return upper;
}

Temporary::~Temporary() {
  if (work_ != nullptr) static_cast<void>(sys::remove_all_at(*work_, name_.c_str()));
}

Temporary Upper::temporary() { return {work_, "t" + std::to_string(++temporaries_)}; }

// A link costs less than an inode of its own (ext4 looks for one among all that were freed in the
// last seconds): there is one for as many as the file system allows.
Result<> Upper::make_whiteout_device(const Fd& directory, const char* name) {
  if (!whiteout_.empty() && sys::link_at(*work_, whiteout_.c_str(), directory, name)) return {};
  TRY(sys::mknod_at(directory, name, S_IFCHR, 0));
  std::string kept = "w" + std::to_string(++temporaries_);
  if (sys::link_at(directory, name, *work_, kept.c_str())) whiteout_ = std::move(kept);
  return {};
}

Result<Temporary> Upper::make_whiteout() {
  Temporary made = temporary();
  if (format_.device_whiteouts) {
    TRY(make_whiteout_device(*work_, made.name()));
    return made;
  }
  Fd file = TRY(sys::open_at(*work_, made.name(), O_CREAT | O_EXCL | O_WRONLY, 0600));
  TRY(set_mark(file, whiteout_mark, "y"));
  return made;
}

Result<> Upper::whiteout_absent(const Fd& directory, const char* name) {
  return format_.device_whiteouts ? make_whiteout_device(directory, name)
                                  : whiteout_over(directory, name);
}

Result<> Upper::whiteout_over(const Fd& directory, const char* name) {
  TRY(allow_whiteouts(directory));
  Temporary made = TRY(make_whiteout());
  TRY(sys::rename_at(*work_, made.name(), directory, name));
  made.placed();
  return {};
}

Result<> Upper::allow_whiteouts(const Fd& directory) {
  if (format_.device_whiteouts) return {};
  Marks marks = TRY(read_own_marks(directory));
  if (marks.opaque || marks.file_whiteouts) return {};
  return set_mark(directory, opaque_mark, "x");
}

Result<Marks> read_own_marks(const Fd& object) {
  return as_owner(object, S_IRUSR, [&] { return read_marks(object); });
}

Result<> Upper::set_mark(const Fd& object, std::string_view mark, std::string_view value) {
  return as_owner(object, S_IWUSR,
                  [&] { return sys::set_xattr(object, format_.name(mark).c_str(), value); });
}

Result<> Upper::note_number(const Fd& object, uint64_t number) {
  auto status = TRY(sys::stat(object));
  std::string numbers = std::to_string(number) + ":" + std::to_string(status.st_ino);
  auto set = set_mark(object, lower_number_mark, numbers);
  // There may be none for what is no file or directory.
  bool none = !set && (set.error().code == EOPNOTSUPP || set.error().code == EPERM);
  return none ? Result<>() : std::move(set);
}

bool is_device_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

}  // namespace lyr::unionfs
