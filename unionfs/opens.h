// SPDX-License-Identifier: Apache-2.0
// The open files of a connection with FUSE passthrough (Linux,
// Documentation/filesystems/fuse-passthrough.rst): the kernel reads, writes and maps files of the
// upper itself, without a request. An image's files are open through the server: what backs a file
// would stay what it was when it is copied up.
//
// All files of an inode that are open at a time have to be of one kind, and have one backing file,
// or the kernel refuses to open them. So the first one decides, and what is noted here may differ
// from what the kernel knows only in that files are taken for open which are closed.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/fd.h"
#include "unionfs/ledger.h"
#include "unionfs/shared_fd.h"

namespace lyr::unionfs {

// Whether `directory` is on a file system that stands on others, or may.
Result<bool> is_stacked(const Fd& directory);

// Whether the kernel knows of passthrough, as its /dev/fuse tells.
Result<bool> kernel_has_passthrough();

// Thread-safe. The table is in the ledger, as a server that follows has to know it.
class Opens {
 public:
  // `device`: of the connection. Both outlive this.
  Opens(const Fd& device, Ledger& ledger) : device_(device), ledger_(ledger) {}
  Opens(const Opens&) = delete;
  Opens& operator=(const Opens&) = delete;

  struct Way {
    int backing = 0;          // the kernel's number of what backs it; 0: the server does
    bool keep_pages = false;  // what the kernel has cached is what the file has
  };
  struct Use {
    bool maps = false;      // it may be mapped for writing, which takes O_RDWR
    bool executes = false;  // it is executed, or is an interpreter of what is
  };
  // Notes that a file of the inode is opened: `file` is the upper's, null: it is the image's.
  Way open(uint64_t node, const SharedFd& file, Use use);
  // Notes that it is closed, or that the kernel did not take the answer.
  void close(uint64_t node, Use use);
  bool is_executed(uint64_t node);
  // The kernel has forgotten the inode: no file of it is open, whatever was noted.
  void forget(uint64_t node);
  // Whether its size and times may change without the kernel's own cache of attributes hearing of
  // it, as by a mapping (it does of what write(2) does). That is so from the first such file on
  // that was handed out: the mapping lives on when that is closed, and nobody is told of its end.
  bool may_be_mapped(uint64_t node);

 private:
  Ledger::Open* find(uint64_t node);
  void clear(Ledger::Open& known);
  void give_back(Ledger::Open& known);

  const Fd& device_;
  Ledger& ledger_;
  std::mutex mutex_;
};

}  // namespace lyr::unionfs
