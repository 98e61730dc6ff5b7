// SPDX-License-Identifier: Apache-2.0
#include "tests/store/recording.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/sys_file.h"
#include "tests/store/tree_text.h"

namespace lyr::store {
namespace {

std::string content_at(const std::string& path) {
  return must(sys::read_file_at(sys::cwd(), path.c_str(), 1 << 30));
}

std::string descriptor_path(const TracedCall& call, int fd) {
  return "/proc/" + std::to_string(call.thread) + "/fd/" + std::to_string(fd);
}

// A number from what /proc says of the child's descriptor.
uint64_t descriptor_info(const TracedCall& call, int fd, const std::string& key, int base) {
  std::string path = "/proc/" + std::to_string(call.thread) + "/fdinfo/" + std::to_string(fd);
  std::string text = content_at(path);
  size_t at = text.find(key + ":\t");
  CHECK(at != std::string::npos);
  return std::stoull(text.substr(at + key.size() + 2), nullptr, base);
}

bool makes_a_file(const TracedCall& call) {
  constexpr uint64_t making = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
  return call.number == SYS_openat && (call.arguments[2] & making) != 0;
}

bool maps_for_writing(const TracedCall& call) {
  return call.number == SYS_mmap && (call.arguments[2] & PROT_WRITE) != 0 &&
         (call.arguments[3] & MAP_SHARED) != 0 && call.descriptor(4) >= 0;
}

bool is_to_be_seen(const TracedCall& call) {
  bool locks = call.number == SYS_flock || call.number == SYS_munmap;
  return makes_a_file(call) || maps_for_writing(call) || (changes_something(call) && !locks);
}

std::string written(const TracedCall& call, uint64_t bytes) {
  bool vector = call.number == SYS_writev || call.number == SYS_pwritev;
  if (!vector) return call.memory(call.arguments[1], bytes);
  std::string parts = call.memory(call.arguments[1], call.arguments[2] * sizeof(iovec));
  std::string data;
  for (size_t at = 0; at < parts.size() && data.size() < bytes; at += sizeof(iovec)) {
    iovec part{};
    std::memcpy(&part, parts.data() + at, sizeof part);
    data += call.memory(reinterpret_cast<uint64_t>(part.iov_base), part.iov_len);
  }
  return data.substr(0, bytes);
}

}  // namespace

Recording::Recording(std::string root) : root_(std::move(root)) {
  scan(root_, add_inode(root_, true));
}

size_t Recording::add_inode(const std::string& path, bool directory) {
  auto status = must(sys::stat_at(sys::cwd(), path.c_str(), 0));
  inodes_.push_back({.directory = directory});
  by_key_[{status.st_dev, status.st_ino}] = inodes_.size() - 1;
  return inodes_.size() - 1;
}

void Recording::scan(const std::string& path, size_t inode) {
  by_path_[path] = inode;
  if (!inodes_[inode].directory) {
    inodes_[inode].content = content_at(path);
    return;
  }
  std::vector<std::pair<std::string, bool>> names;
  Fd fd = must(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY));
  must(sys::read_directory(fd, [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name, entry.type == DT_DIR);
    return true;
  }));
  for (const auto& [name, directory] : names) {
    size_t made = add_inode(path + "/" + name, directory);
    inodes_[inode].entries[name] = made;
    scan(path + "/" + name, made);
  }
}

bool Recording::find(const std::string& path, size_t& inode) const {
  auto status = sys::stat_at(sys::cwd(), path.c_str(), 0);
  if (!status) return false;
  auto found = by_key_.find({status->st_dev, status->st_ino});
  if (found == by_key_.end()) return false;
  inode = found->second;
  return true;
}

bool Recording::is_below(const std::string& path) const { return path.starts_with(root_ + "/"); }

void Recording::set_name(DiskEvent& event, const std::string& path) {
  size_t slash = path.rfind('/');
  event.name = path.substr(slash + 1);
  auto found = by_path_.find(path.substr(0, slash));
  CHECK(found != by_path_.end());
  event.directory = found->second;
}

void Recording::add(DiskEvent event, const TracedCall& call) {
  event.what = call.description();
  events_.push_back(std::move(event));
}

void Recording::after_open(const TracedCall& call, int64_t result) {
  std::string path = call.path_of(static_cast<int>(result));
  if (!is_below(path)) return;
  bool unnamed = (call.arguments[2] & O_TMPFILE) == O_TMPFILE;
  if (existed_ && !unnamed) {
    size_t inode = 0;
    bool cut = (call.arguments[2] & O_TRUNC) != 0 && find(path, inode);
    if (cut) add({.kind = DiskEvent::Kind::resize, .inode = inode}, call);
    return;
  }
  size_t made = add_inode(descriptor_path(call, static_cast<int>(result)), false);
  if (unnamed) return;
  DiskEvent event{.kind = DiskEvent::Kind::name, .inode = made};
  set_name(event, path);
  by_path_[path] = made;
  add(std::move(event), call);
}

void Recording::after_write(const TracedCall& call, size_t inode, int64_t result) {
  bool placed = call.number == SYS_pwrite64 || call.number == SYS_pwritev;
  auto bytes = static_cast<uint64_t>(result);
  uint64_t offset =
      placed ? call.arguments[3] : descriptor_info(call, call.descriptor(0), "pos", 10) - bytes;
  uint64_t flags = descriptor_info(call, call.descriptor(0), "flags", 8);
  std::string data = written(call, bytes);
  CHECK(data.size() == bytes);
  add({.kind = DiskEvent::Kind::write,
       .inode = inode,
       .offset = offset,
       .bytes = bytes,
       .data = std::move(data),
       .durable = (flags & O_DSYNC) != 0},
      call);
}

// Of a file, by its descriptor, but for writes.
void Recording::after_change(const TracedCall& call, size_t inode) {
  DiskEvent event{.kind = DiskEvent::Kind::sync, .inode = inode};
  if (call.number == SYS_ftruncate) {
    event.kind = DiskEvent::Kind::resize;
    event.bytes = call.arguments[1];
  } else if (call.number == SYS_fallocate) {
    bool keeps_size = (call.arguments[1] & FALLOC_FL_KEEP_SIZE) != 0;
    bool punches = (call.arguments[1] & FALLOC_FL_PUNCH_HOLE) != 0;
    if (keeps_size && !punches) return;
    // It never makes a file shorter; here none that is longer is given room.
    event.kind = punches ? DiskEvent::Kind::punch : DiskEvent::Kind::resize;
    event.offset = call.arguments[2];
    event.bytes = punches ? call.arguments[3] : call.arguments[2] + call.arguments[3];
  } else if (call.number != SYS_fsync && call.number != SYS_fdatasync) {
    return;
  }
  add(std::move(event), call);
}

void Recording::after_names(const TracedCall& call) {
  std::vector<std::string> paths = call.paths();
  DiskEvent event;
  if (!is_below(paths.back())) return;
  set_name(event, paths.back());
  if (call.number == SYS_unlinkat) {
    event.kind = DiskEvent::Kind::unname;
    by_path_.erase(paths.back());
  } else if (call.number == SYS_mkdirat) {
    event.kind = DiskEvent::Kind::name;
    event.inode = add_inode(paths.back(), true);
  } else {
    CHECK(find(paths.back(), event.inode));
    event.kind = DiskEvent::Kind::name;
  }
  if (call.number == SYS_renameat || call.number == SYS_renameat2) {
    event.kind = DiskEvent::Kind::rename;
    DiskEvent old;
    set_name(old, paths.front());
    event.old_directory = old.directory;
    event.old_name = old.name;
    by_path_.erase(paths.front());
  }
  if (event.kind != DiskEvent::Kind::unname) by_path_[paths.back()] = event.inode;
  add(std::move(event), call);
}

void Recording::after(const TracedCall& call, int64_t result) {
  if (result < 0) return;
  size_t inode = 0;
  switch (call.number) {
    case SYS_openat:
      return after_open(call, result);
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_linkat:
    case SYS_renameat:
    case SYS_renameat2:
      return after_names(call);
    case SYS_mmap:
      if (find(descriptor_path(call, call.descriptor(4)), inode)) inodes_[inode].mapped = true;
      return;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
      if (find(descriptor_path(call, call.descriptor(0)), inode)) after_write(call, inode, result);
      return;
    default:
      if (find(descriptor_path(call, call.descriptor(0)), inode)) after_change(call, inode);
  }
}

void Recording::read_mapped() {
  for (const auto& [path, inode] : by_path_) {
    if (inodes_[inode].mapped) inodes_[inode].last_content = content_at(path);
  }
}

Traced Recording::record(const std::function<int()>& body,
                         const std::function<Decision(const TracedCall&)>& decide) {
  auto before = [&](const TracedCall& call) -> Decision {
    if (decide && decide(call).kind == Decision::Kind::kill) return {Decision::Kind::kill};
    if (!is_to_be_seen(call)) return {};
    if (call.number == SYS_openat) {
      std::string path = call.path_at(call.descriptor(0), call.arguments[1]);
      bool by_descriptor = call.text(call.arguments[1]).starts_with("/proc/");
      existed_ = by_descriptor || sys::exists_at(sys::cwd(), path.c_str()).value_or(false);
    }
    return {Decision::Kind::watch};
  };
  auto then = [&](const TracedCall& call, int64_t result) { after(call, result); };
  Traced traced = run_traced(body, {.before = before, .after = then});
  read_mapped();
  return traced;
}

}  // namespace lyr::store
