// SPDX-License-Identifier: Apache-2.0
// chattr's and lsattr's ioctl(2)s.
#include <linux/fs.h>

#include <cstring>

#include "unionfs/session.h"

namespace lyr::unionfs {
namespace {

template <class Flags>
void reply_flags(fuse_req_t request, const Result<Flags>& flags) {
  if (!flags) return reply_error(request, flags.error());
  fuse_reply_ioctl(request, 0, &*flags, sizeof *flags);
}

template <class Flags>
void set_flags(fuse_req_t request, std::span<const std::byte> given, auto set) {
  Flags flags{};
  if (given.size() < sizeof flags) return reply_code(request, EINVAL);
  std::memcpy(&flags, given.data(), sizeof flags);
  Result<> done = set(flags);
  if (!done) return reply_error(request, done.error());
  forget_doubted(served(request).session);
  fuse_reply_ioctl(request, 0, nullptr, 0);
}

}  // namespace

// Of ioctl(2)s these alone: the kernel's answer to them is ours (fs/fuse/ioctl.c), once it has
// looked whether the caller may.
void op_ioctl(fuse_req_t request, fuse_ino_t node, unsigned command, void*, struct fuse_file_info*,
              unsigned, const void* input, size_t input_bytes, size_t room) {
  Union& instance = of(request);
  std::span given(static_cast<const std::byte*>(input), input_bytes);
  bool known = served(request).file_flags;
  if (known && command == FS_IOC_GETFLAGS && room >= sizeof(uint32_t))
    return reply_flags(request, instance.file_flags(node));
  if (known && command == FS_IOC_FSGETXATTR && room >= sizeof(struct fsxattr))
    return reply_flags(request, instance.extended_flags(node));
  if (known && command == FS_IOC_SETFLAGS)
    return set_flags<uint32_t>(
        request, given, [&](uint32_t flags) { return instance.set_file_flags(node, flags); });
  if (known && command == FS_IOC_FSSETXATTR)
    return set_flags<struct fsxattr>(request, given, [&](const struct fsxattr& flags) {
      return instance.set_extended_flags(node, flags);
    });
  fuse_reply_err(request, ENOTTY);
}

}  // namespace lyr::unionfs
