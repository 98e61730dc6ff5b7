// SPDX-License-Identifier: Apache-2.0
// The directories that a union is mounted of, opened: what overlayfs wants of them holds before
// anything in them is changed.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "tools/mount_options.h"
#include "unionfs/lower.h"

namespace lyr::tools {

struct UnionDirectories {
  unionfs::DirectoryStack lower;
  // The upper, and the directory within workdir= that the server works in; none: read-only. Their
  // locks are held as long as these, or duplicates of them, are open.
  Fd upper, work;
  bool trusted_marks = false;  // the upper's are "trusted.overlay."
};

// EINVAL, ELOOP: one lies in another, or was left by a `volatile` mount that did not end well;
// EBUSY: another mount has them after 10 s; EROFS, EXDEV. With a sentence for a person.
Result<UnionDirectories> open_directories(const MountOptions& options);

// As overlayfs's: as long as it is there what the upper has may be incomplete, and nobody mounts
// it.
Result<> mark_volatile(const Fd& work);
Result<> unmark_volatile(const Fd& work);

}  // namespace lyr::tools
