// SPDX-License-Identifier: Apache-2.0
// The union file system: an image's tree or plain directories below, an overlayfs-format directory
// above, one view of both behind FUSE. The server is the only writer of that view, so the kernel
// may cache it without end.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "store/store.h"
#include "unionfs/askers.h"
#include "unionfs/ids.h"
#include "unionfs/lower.h"

namespace lyr::unionfs {

class Ledger;

// Where the owner of an upper file is kept. `real`: in the file's own uid and gid (the server may
// chown to any id of its user namespace). `in_xattr`: in "user.containers.override_stat", since
// only one id is ours to give; the view then shows every file as owned by 0:0, the one id the
// container has. `overridden`: owner and permissions of files and directories are in the attribute
// that fuse-overlayfs has for that, see override_stat.h, and the view shows what it says; the files
// themselves are the server's, with mode 0755.
enum class Ownership { real, in_xattr, overridden };

// How often the kernel asked, by FUSE opcode (linux/fuse.h): the union's cost that no noise
// touches. Opcodes past the table are counted under 0. The server's threads only add to it, so
// whoever shares the memory (a parent process, say) may read it at any time.
struct RequestCounts {
  static constexpr size_t opcodes = 64;
  std::array<std::atomic<uint64_t>, opcodes> by_opcode{};
  std::atomic<uint64_t> pushes{};  // files that nobody had asked for yet, see push_ahead.h

  void count(uint32_t opcode) {
    by_opcode[opcode < opcodes ? opcode : 0].fetch_add(1, std::memory_order_relaxed);
  }
};

struct Options {
  std::unique_ptr<Lower> lower;  // lower_from_tree or lower_from_directories
  Fd upper;                      // a directory of overlayfs's format, empty at first; none: the
                                 // union is read-only
  Fd work;                       // a directory on the same file system as `upper`; it is emptied
  Ownership ownership = Ownership::real;
  bool trusted_xattrs = false;  // "trusted.overlay." (needs CAP_SYS_ADMIN in the initial
                                // namespace), else "user.overlay."
  bool durable = true;  // a copy is on disk before it hides the original, as with overlayfs; false:
                        // for an upper that nobody wants after a power cut
  bool sync = true;     // fsync does something
  bool dress_root = true;       // a new upper's root takes on the owner and mode of the lower's;
                                // false: it is as somebody made it, which is overlayfs's way
  bool redirects = true;        // directories that the lower has can be renamed; false: EXDEV, and
                                // whoever cannot read redirects can use the upper
  bool whiteout_files = false;  // ".wh." names in the upper are whiteouts, and no such can be made
  bool static_links = false;    // directories have one link
  bool security_stat = false;   // with Ownership::overridden: in the attribute that only root of
                                // the host can write
  Ids ids;                      // not with Ownership::in_xattr
  bool xattrs = true;           // false: there are none
  // POSIX ACLs, if `ownership` is real, of the ids that the mount's user namespace has.
  std::optional<MappedIds> acls;
  bool writeback = true;  // the kernel gathers writes
  // With `writeback`: the kernel says itself when a file was modified that it writes back by
  // itself. It cannot where root of the host, as who it does that, has no id in the mount's user
  // namespace.
  bool kernel_tells_times = true;
  bool passthrough = false;  // the kernel reads and writes the upper's files itself, for root of
                             // the host, without `writeback` (unionfs/opens.h); where it cannot,
                             // before Linux 6.9, it is as if this were false
  bool file_flags = false;   // chattr's: an immutable file stays as it is. The kernel asks before
                             // each open then, as with `passthrough`, and at each ioctl(2)
  bool io_uring = false;     // requests come by rings of the CPUs' own instead of the device
                             // (unionfs/ring.h); no server follows one that is killed
  double timeout_s = 1e9;    // how long the kernel keeps what it was told
  Askers askers;             // how the kernel numbers who asks, if that is known
  bool debug = false;        // libfuse tells of each request on standard error
  int threads = 1;           // that read requests; 1..64. One has help where much is written back
  bool spare_cpu = false;    // it is helped as if a CPU had nothing to do, for tests
  RequestCounts* counts = nullptr;  // outlives serve(); null: nobody wants to know
  // The process may do all that root may. False: what it has no right to copy up is
  // refused when it is opened to be written (the kernel would take what is written, and lose it),
  // and objects are reached without asking what their directory's mode lets its owner do.
  bool privileged = true;
  std::function<void()> ready;  // called once, when all is open: what the kernel asks from then
                                // on is answered
  Ledger* ledger = nullptr;     // of a server that may be killed, see unionfs/keeper.h; only
                                // over a tree
};

// Serves a FUSE connection that someone else mounted (or is about to mount), until it is unmounted
// or aborted. Blocks. `fuse_device`: an open /dev/fuse of the mount's own user namespace. No path
// of the host is opened after this starts.
Result<> serve(Fd fuse_device, Options options);

}  // namespace lyr::unionfs
