// SPDX-License-Identifier: Apache-2.0
// What a reader makes of a tar: a list of entries, in a form that two readers' can be compared in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lyr::fuzz {

struct SeenPiece {
  uint64_t offset = 0;
  std::string data;
};

struct SeenEntry {
  char type = 'f';  // as find -type prints it; 'h': a hard link
  std::string path;
  std::string link_target;
  uint32_t mode = 0;
  int64_t uid = 0;
  int64_t gid = 0;
  int64_t mtime_seconds = 0;
  int64_t mtime_nanoseconds = 0;
  int64_t device_major = 0;
  int64_t device_minor = 0;
  uint64_t size = 0;
  std::vector<SeenPiece> content;  // in order, apart; what lies between is zeros
  std::map<std::string, std::string> xattrs;
  std::multimap<std::string, std::string> more_xattrs;  // whose name was there before
  bool has_acl = false;                                 // told by a record beside the header
};

// A file's content, told by its bytes that are not zero: the same for holes and for zeros.
class ContentText {
 public:
  void add(uint64_t offset, std::string_view data);
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  uint64_t end_ = 0;
};

std::string content_text(const SeenEntry& entry);

}  // namespace lyr::fuzz
