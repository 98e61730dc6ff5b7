// SPDX-License-Identifier: Apache-2.0
// What a command writes for a person to keep. A file gets its name only when it is whole and on
// disk, and then takes the place of one that had the name; whatever happens before, nothing half
// written is seen. A pipe, a device or standard output is just written to.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::tools {

class OutputFile {
 public:
  // `path`: empty or "-" is standard output. Refuses a terminal and a directory with a sentence.
  static Result<OutputFile> open(const std::string& path);
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) noexcept = default;
  ~OutputFile();

  // EPIPE with a sentence when the reader has gone: the caller ignores SIGPIPE.
  Result<> write(std::span<const std::byte> data);
  // Makes it durable and gives it its name.
  Result<> commit();

 private:
  OutputFile() = default;
  static Result<OutputFile> open_stream(Fd file, std::string name);
  Result<> open_beside(const std::string& path);
  Result<> commit_named();

  std::string name_;  // for a person
  Fd file_;
  bool regular_ = false;
  uint64_t written_ = 0;
  uint64_t flushed_ = 0;   // how much of it is on its way to the disk
  Fd directory_;           // where the name goes; empty: a stream
  std::string base_;       // the name there
  std::string temporary_;  // its name till then, where files cannot be without one
};

}  // namespace lyr::tools
