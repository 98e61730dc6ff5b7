// SPDX-License-Identifier: Apache-2.0
#include "unionfs/owner_access.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "base/sys_file.h"

namespace lyr::unionfs {
namespace {

// By its magic link: it may be open with O_PATH.
Result<> set_mode(const Fd& object, mode_t mode) {
  std::string link = "/proc/self/fd/" + std::to_string(object.get());
  return sys::chmod_at(sys::cwd(), link.c_str(), mode & 07777);
}

}  // namespace

// Whose it is only the kernel knows for certain, where ids are mapped: it lets owners alone do it.
OwnerAccess::OwnerAccess(const Fd& object, mode_t bits) : object_(object) {
  auto status = sys::stat(object);
  if (!status || S_ISLNK(status->st_mode) || (status->st_mode & bits) == bits) return;
  if (set_mode(object, status->st_mode | bits)) before_ = status->st_mode;
}

OwnerAccess::~OwnerAccess() {
  if (before_) static_cast<void>(set_mode(object_, *before_));
}

Result<> move_own(const Fd& from, const char* name, const Fd& to, const char* new_name,
                  unsigned flags) {
  auto moved = sys::rename_at(from, name, to, new_name, flags);
  if (moved || moved.error().code != EACCES) return moved;
  auto directory = [](const Fd& where, const char* text) {
    auto found = sys::open_at(where, text, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    return found ? std::move(*found) : Fd();
  };
  OwnerAccess old_place(from, S_IWUSR | S_IXUSR);
  OwnerAccess place(to, S_IWUSR | S_IXUSR);
  Fd one = directory(from, name);
  Fd other = directory(to, new_name);
  OwnerAccess first(one, S_IWUSR);
  OwnerAccess second(other, S_IWUSR);
  return sys::rename_at(from, name, to, new_name, flags);
}

Result<Fd> open_own(const Fd& where, const char* name, int flags) {
  return as_owner(where, S_IXUSR, [&] { return sys::open_at(where, name, flags); });
}

Result<Fd> open_own_directory(const Fd& where, const char* name) {
  constexpr int flags = O_DIRECTORY | O_NOFOLLOW;
  auto opened = sys::open_at(where, name, flags | O_RDONLY);
  if (opened || opened.error().code != EACCES) return opened;
  Fd found = TRY(open_own(where, name, flags | O_PATH));
  return as_owner(found, S_IRUSR, [&] { return sys::reopen(found, O_RDONLY | O_DIRECTORY); });
}

}  // namespace lyr::unionfs
