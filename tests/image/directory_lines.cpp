// SPDX-License-Identifier: Apache-2.0
#include "tests/image/directory_lines.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/check.h"
#include "fuzz/layer_model.h"
#include "fuzz/seen_entry.h"

namespace lyr::image {
namespace {

constexpr size_t xattr_bytes_max = 1 << 16;

char type_of(mode_t mode) {
  if (S_ISDIR(mode)) return 'd';
  if (S_ISLNK(mode)) return 'l';
  if (S_ISCHR(mode)) return 'c';
  if (S_ISBLK(mode)) return 'b';
  return S_ISFIFO(mode) ? 'p' : 'f';
}

std::map<std::string, std::string> xattrs_of(const std::string& path) {
  std::map<std::string, std::string> xattrs;
  std::string names(xattr_bytes_max, '\0');
  ssize_t bytes = ::llistxattr(path.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < bytes;) {
    std::string name = names.c_str() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    std::string value(xattr_bytes_max, '\0');
    ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    CHECK(length >= 0);
    value.resize(static_cast<size_t>(length));
    xattrs[name] = std::move(value);
  }
  return xattrs;
}

fuzz::SeenEntry seen_of(const std::string& path, const struct stat& status) {
  fuzz::SeenEntry seen;
  seen.type = type_of(status.st_mode);
  seen.mode = status.st_mode & 07777;
  seen.uid = status.st_uid;
  seen.gid = status.st_gid;
  seen.mtime_seconds = status.st_mtim.tv_sec;
  seen.mtime_nanoseconds = status.st_mtim.tv_nsec;
  if (seen.type == 'c' || seen.type == 'b') {
    seen.device_major = major(status.st_rdev);
    seen.device_minor = minor(status.st_rdev);
  }
  seen.xattrs = xattrs_of(path);
  if (seen.type == 'l') seen.link_target = std::filesystem::read_symlink(path).string();
  if (seen.type != 'f') return seen;
  seen.size = static_cast<uint64_t>(status.st_size);
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), {}};
  CHECK(content.size() == seen.size);
  seen.content.push_back({0, std::move(content)});
  return seen;
}

}  // namespace

std::map<std::string, std::string> lines_of_directory(const std::string& root) {
  std::map<std::string, std::string> lines;
  std::map<ino_t, std::vector<std::string>> names;
  std::map<ino_t, nlink_t> links;
  auto add = [&](const std::string& path, const std::string& relative) {
    struct stat status{};
    CHECK(::lstat(path.c_str(), &status) == 0);
    lines[relative] = fuzz::line_of(relative, seen_of(path, status));
    if (S_ISDIR(status.st_mode)) return;
    names[status.st_ino].push_back(relative);
    links[status.st_ino] = status.st_nlink;
  };
  add(root, "");
  for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
    add(item.path(), item.path().string().substr(root.size() + 1));
  }
  for (const auto& [ino, all] : names) {
    CHECK(links[ino] == all.size());
    const std::string& first = std::ranges::min(all);
    for (const std::string& name : all) {
      if (name != first) lines[name] += " is /" + first;
    }
  }
  return lines;
}

}  // namespace lyr::image
