// SPDX-License-Identifier: Apache-2.0
// A directory that is gone when the program ends: in memory where there is such a file system, and
// on one that has extended attributes.
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
    for (const char* base : {"/dev/shm", "/tmp"}) {
      path_ = std::string(base) + "/lyr-fuzz-XXXXXX";
      if (!sys::is_writable(base)) continue;
      CHECK(::mkdtemp(path_.data()) != nullptr);
      auto opened = sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY);
      CHECK(opened.has_value());
      fd_ = std::move(*opened);
      // In memory there are such only since Linux 6.6.
      if (sys::set_xattr(fd_, "user.probe", "y")) break;
      CHECK(sys::remove_all_at(sys::cwd(), path_.c_str()).has_value());
    }
    CHECK(fd_.valid() && sys::remove_xattr(fd_, "user.probe").has_value());
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
