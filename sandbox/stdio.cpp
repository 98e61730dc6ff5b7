// SPDX-License-Identifier: Apache-2.0
#include "sandbox/stdio.h"

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::sandbox {
namespace {

constexpr int first_free_number = 10;

}  // namespace

void own_stdio(const Stdio& stdio, uid_t uid, gid_t gid) {
  for (const Fd* fd : {&stdio.in, &stdio.out, &stdio.err}) {
    if (!*fd) continue;
    auto status = sys::stat(*fd);
    if (!status || !(S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode))) continue;
    if (status->st_uid != uid) static_cast<void>(sys::chown(*fd, uid, gid));
  }
}

Result<> move_up(Fd& fd) {
  if (!fd || fd.get() >= first_free_number) return {};
  fd = TRY(sys::dup(fd, first_free_number));
  return {};
}

Result<> install_stdio(const Stdio& stdio) {
  TRY(sys::dup_to(stdio.in, 0));
  TRY(sys::dup_to(stdio.out, 1));
  return sys::dup_to(stdio.err, 2);
}

}  // namespace lyr::sandbox
