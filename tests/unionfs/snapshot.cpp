// SPDX-License-Identifier: Apache-2.0
#include "tests/unionfs/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

namespace lyr::unionfs {
namespace {

std::string xattrs_of(const std::string& path) {
  char names[4096];
  ssize_t size = llistxattr(path.c_str(), names, sizeof names);
  std::set<std::string> found;
  for (ssize_t at = 0; at < size;) {
    std::string name = names + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    char value[4096];
    ssize_t length = lgetxattr(path.c_str(), name.c_str(), value, sizeof value);
    found.insert(name + "=" +
                 std::string(value, static_cast<size_t>(std::max<ssize_t>(length, 0))));
  }
  std::string text;
  for (const std::string& one : found) text += one + ";";
  return text;
}

class Walk {
 public:
  Walk(std::string root, bool with_times, Links links)
      : root_(std::move(root)), with_times_(with_times), links_(links) {}

  void directory(const std::string& relative) {
    DIR* directory = opendir((root_ + relative).c_str());
    if (directory == nullptr) return;
    std::set<std::string> names;
    while (struct dirent* entry = readdir(directory)) names.insert(entry->d_name);
    closedir(directory);
    for (const std::string& name : names) {
      if (name != "." && name != "..") visit(relative + "/" + name);
    }
  }

  std::map<std::string, std::string> entries;

 private:
  void visit(const std::string& at) {
    std::string path = root_ + at;
    struct stat status{};
    if (lstat(path.c_str(), &status) != 0) {
      entries[at] = "listed, but not there";
      return;
    }
    std::string text = std::to_string(status.st_mode) + " " + std::to_string(status.st_uid) + ":" +
                       std::to_string(status.st_gid) + " " + xattrs_of(path);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
      text += " device " + std::to_string(status.st_rdev);
    if (with_times_)
      text += " at " + std::to_string(status.st_mtim.tv_sec) + "." +
              std::to_string(status.st_mtim.tv_nsec);
    if (!S_ISDIR(status.st_mode)) {
      if (links_ == Links::counted) text += " links " + std::to_string(status.st_nlink);
      if (links_ != Links::ignored)
        text += " of " + first_.try_emplace(status.st_ino, at).first->second;
    }
    if (S_ISREG(status.st_mode)) {
      text += " size " + std::to_string(status.st_size) + " hash " +
              std::to_string(std::hash<std::string>()(read_whole(path)));
    }
    if (S_ISLNK(status.st_mode)) text += " -> " + std::filesystem::read_symlink(path).string();
    entries[at] = text;
    if (S_ISDIR(status.st_mode)) directory(at);
  }

  std::string root_;
  bool with_times_;
  Links links_;
  std::map<ino_t, std::string> first_;
};

}  // namespace

std::map<std::string, std::string> snapshot(const std::string& root, bool with_times, Links links) {
  Walk walk(root, with_times, links);
  walk.directory("");
  return std::move(walk.entries);
}

std::string differences(const std::map<std::string, std::string>& left,
                        const std::map<std::string, std::string>& right) {
  std::string text;
  auto all = left;
  all.insert(right.begin(), right.end());
  for (const auto& [path, unused] : all) {
    auto one = left.find(path), other = right.find(path);
    std::string a = one == left.end() ? "absent" : one->second;
    std::string b = other == right.end() ? "absent" : other->second;
    if (a != b) text += path + ": " + a + " | " + b + "\n";
  }
  return text;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string read_or_error(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY);
  if (file < 0) return strerrorname_np(errno);
  std::string text(1 << 20, '\0');
  ssize_t size = read(file, text.data(), text.size());
  int error = errno;
  close(file);
  return size < 0 ? strerrorname_np(error) : text.substr(0, static_cast<size_t>(size));
}

}  // namespace lyr::unionfs
