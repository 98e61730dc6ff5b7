// SPDX-License-Identifier: Apache-2.0
// A directory that is gone when the program ends; in memory where there is such a file system.
#pragma once

#include <cstdlib>
#include <string>

#include "base/check.h"
#include "base/fd.h"
#include "base/sys_file.h"

namespace lyr::fuzz {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    path_ = sys::is_writable("/dev/shm") ? "/dev/shm/lyr-fuzz-XXXXXX" : "/tmp/lyr-fuzz-XXXXXX";
    CHECK(::mkdtemp(path_.data()) != nullptr);
    auto opened = sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY);
    CHECK(opened.has_value());
    fd_ = std::move(*opened);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { static_cast<void>(sys::remove_all_at(sys::cwd(), path_.c_str())); }
  const std::string& path() const { return path_; }
  const Fd& fd() const { return fd_; }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace lyr::fuzz
