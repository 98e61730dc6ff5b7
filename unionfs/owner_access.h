// SPDX-License-Identifier: Apache-2.0
// What an owner may do to a file of his whose mode does not let him. Root need not ask, but a
// server without privileges has no more than the mode gives: it could not write into a file that
// somebody made with mode 0444 and has open, nor mark it. The kernel has looked at what the caller
// may.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::unionfs {

// Gives the owner `bits` of what is his (S_IRUSR, ...), and has the mode as it was in the end. Only
// with what a lock of the union's guards: nobody is to be told of the mode meanwhile. A kill in
// between leaves the owner the bits; what he may not set again once it is changed (set-group-id, of
// a group that he is not in) goes.
class OwnerAccess {
 public:
  OwnerAccess(const Fd& object, mode_t bits);
  OwnerAccess(const OwnerAccess&) = delete;
  OwnerAccess& operator=(const OwnerAccess&) = delete;
  ~OwnerAccess();
  bool given() const { return before_.has_value(); }

 private:
  const Fd& object_;
  std::optional<mode_t> before_;  // none: it is not ours, or has the bits
};

// Calls once more, with those bits, what is refused without.
template <class Call>
auto as_owner(const Fd& object, mode_t bits, Call call) -> decltype(call()) {
  auto done = call();
  if (done || done.error().code != EACCES) return done;
  OwnerAccess access(object, bits);
  return access.given() ? call() : std::move(done);
}

// As sys::rename_at. A directory that gets another parent is to be one that its owner may write to.
Result<> move_own(const Fd& from, const char* name, const Fd& to, const char* new_name,
                  unsigned flags = 0);

// As sys::open_at: `where` is to be a directory that its owner may search, and no more is asked of
// what is opened than its mode lets him.
Result<Fd> open_own(const Fd& where, const char* name, int flags);

// A directory of the upper or the work directory, to be read.
Result<Fd> open_own_directory(const Fd& where, const char* name);

}  // namespace lyr::unionfs
