// SPDX-License-Identifier: Apache-2.0
// The union file system: an immutable image tree below, an overlayfs-format directory above, one
// view of both behind FUSE. The server is the only writer of that view, so the kernel may cache it
// without end.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/store.h"

namespace lyr::unionfs {

// Where the owner of an upper file is kept. `real`: in the file's own uid and gid (the server may
// chown to any id of its user namespace). `in_xattr`: in "user.containers.override_stat", since
// only one id is ours to give; the view then shows every file as owned by 0:0, the one id the
// container has.
enum class Ownership { real, in_xattr };

// How often the kernel asked, by FUSE opcode (linux/fuse.h): the union's cost that no noise
// touches. Opcodes past the table are counted under 0. The server's threads only add to it, so
// whoever shares the memory (a parent process, say) may read it at any time.
struct RequestCounts {
  static constexpr size_t opcodes = 64;
  std::array<std::atomic<uint64_t>, opcodes> by_opcode{};
};

struct Options {
  const store::Store* store = nullptr;  // outlives serve()
  const store::Tree* tree = nullptr;    // the image tree; outlives serve()
  Fd upper;                             // a directory of overlayfs's format; empty at first
  Fd work;                              // an empty directory on the same file system as `upper`
  Ownership ownership = Ownership::real;
  bool trusted_xattrs = false;  // "trusted.overlay." (needs CAP_SYS_ADMIN in the initial
                                // namespace), else "user.overlay."
  bool durable = true;  // a copy is on disk before it hides the original, as with overlayfs; false:
                        // for an upper that nobody wants after a power cut
  int threads = 1;      // that read requests; 1..64
  RequestCounts* counts = nullptr;  // outlives serve(); null: nobody wants to know
};

// Serves a FUSE connection that someone else mounted (or is about to mount), until it is unmounted
// or aborted. Blocks. `fuse_device`: an open /dev/fuse of the mount's own user namespace. No path
// of the host is opened after this starts.
Result<> serve(Fd fuse_device, Options options);

// What the upper directory changes in the image: docker diff's list, in path order, in O(changes).
enum class ChangeKind : char { added = 'A', changed = 'C', deleted = 'D' };
struct Change {
  ChangeKind kind = ChangeKind::changed;
  std::string path;  // absolute in the container
};
Result<std::vector<Change>> changes(const Fd& upper, const store::Tree& tree);

}  // namespace lyr::unionfs
