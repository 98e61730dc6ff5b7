// SPDX-License-Identifier: Apache-2.0
#include "tests/store/power_cut.h"

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/sys_file.h"
#include "tests/store/tree_text.h"

namespace lyr::store {
namespace {

using Kind = DiskEvent::Kind;

constexpr uint64_t sector_bytes = 512;
constexpr uint64_t page_bytes = 4096;

bool changes_a_name(const DiskEvent& event) {
  return event.kind == Kind::name || event.kind == Kind::unname || event.kind == Kind::rename;
}

bool likely(double probability, std::mt19937_64& random) {
  return std::uniform_real_distribution<>(0, 1)(random) < probability;
}

class Disk {
 public:
  Disk(const Recording& recording, size_t count, bool returned)
      : events_(std::span(recording.events()).first(count)), inodes_(recording.inodes()) {
    // From the last event back: what an fsync comes after.
    std::set<size_t> synced;
    durable_.resize(count);
    for (size_t i = count; i-- > 0;) {
      const DiskEvent& event = events_[i];
      bool in_flight = i + 1 == count && !returned;
      if (event.kind == Kind::sync && !in_flight) synced.insert(event.inode);
      durable_[i] = (event.durable && !in_flight) || is_synced(event, synced);
    }
  }

  void change(const Survival& survival, std::mt19937_64& random) {
    for (size_t i = 0; i < events_.size(); ++i) {
      const DiskEvent& event = events_[i];
      if (changes_a_name(event)) {
        bool survives = i < survival.names_until && likely(survival.names, random);
        change_name(event, durable_[i] || survives);
      } else if (event.kind != Kind::sync) {
        bool whole = durable_[i] || survival.data >= 1;
        if (whole || likely(survival.data, random)) {
          change_content(event, whole, random);
        } else if (survival.data > 0 && likely(0.2, random)) {
          lengthen(event);
        }
      }
    }
    for (DiskInode& inode : inodes_) {
      if (inode.mapped) mix_pages(inode, survival.data, random);
    }
  }

  uint64_t hash(size_t inode = 0) const {
    const DiskInode& file = inodes_[inode];
    uint64_t hash = XXH3_64bits(file.content.data(), file.content.size());
    for (const auto& [name, below] : file.entries) {
      hash = XXH3_64bits_withSeed(name.data(), name.size(), hash + this->hash(below));
    }
    return hash;
  }

  void write(const std::string& to, size_t inode = 0) const {
    for (const auto& [name, below] : inodes_[inode].entries) {
      std::string path = to + "/" + name;
      if (inodes_[below].directory) {
        must(sys::mkdir_at(sys::cwd(), path.c_str(), 0700));
        write(path, below);
      } else {
        Fd file = must(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
        must(sys::write_all(file, inodes_[below].content));
      }
    }
  }

 private:
  using Name = std::pair<size_t, std::string>;  // a directory, and what is in it

  static bool is_synced(const DiskEvent& event, const std::set<size_t>& synced) {
    if (!changes_a_name(event)) return synced.contains(event.inode);
    bool old_one = event.kind != Kind::rename || synced.contains(event.old_directory);
    return old_one && synced.contains(event.directory);
  }

  // Changes of one name survive in their order: when one does not, no later one does.
  void change_name(const DiskEvent& event, bool survives) {
    std::vector<Name> names = {{event.directory, event.name}};
    if (event.kind == Kind::rename) names.emplace_back(event.old_directory, event.old_name);
    bool lost = std::ranges::any_of(names, [&](const Name& name) { return lost_.contains(name); });
    if (!survives || lost) {
      lost_.insert(names.begin(), names.end());
      return;
    }
    auto& entries = inodes_[event.directory].entries;
    if (event.kind == Kind::unname) entries.erase(event.name);
    if (event.kind != Kind::unname) entries[event.name] = event.inode;
    if (event.kind == Kind::rename) inodes_[event.old_directory].entries.erase(event.old_name);
  }

  void lengthen(const DiskEvent& event) {
    std::string& content = inodes_[event.inode].content;
    if (event.kind != Kind::write) return;
    content.resize(std::max<uint64_t>(content.size(), event.offset + event.bytes));
  }

  void change_content(const DiskEvent& event, bool whole, std::mt19937_64& random) {
    std::string& content = inodes_[event.inode].content;
    switch (event.kind) {
      case Kind::resize:
        content.resize(event.bytes);
        return;
      case Kind::punch: {
        uint64_t from = std::min<uint64_t>(event.offset, content.size());
        uint64_t to = std::min<uint64_t>(event.offset + event.bytes, content.size());
        std::fill(content.begin() + static_cast<ptrdiff_t>(from),
                  content.begin() + static_cast<ptrdiff_t>(to), '\0');
        return;
      }
      default:
        lengthen(event);
        write_sectors(event, whole || likely(0.7, random) ? 1 : 0.5, random);
    }
  }

  void write_sectors(const DiskEvent& event, double share, std::mt19937_64& random) {
    std::string& content = inodes_[event.inode].content;
    for (uint64_t at = 0; at < event.bytes;) {
      uint64_t end = (event.offset + at) / sector_bytes * sector_bytes + sector_bytes;
      uint64_t bytes = std::min(event.bytes - at, end - event.offset - at);
      if (share >= 1) bytes = event.bytes;
      if (likely(share, random)) content.replace(event.offset + at, bytes, event.data, at, bytes);
      at += bytes;
    }
  }

  static void mix_pages(DiskInode& inode, double share, std::mt19937_64& random) {
    uint64_t bytes = std::min(inode.content.size(), inode.last_content.size());
    for (uint64_t at = 0; at < bytes; at += page_bytes) {
      uint64_t piece = std::min(page_bytes, bytes - at);
      if (likely(share, random)) inode.content.replace(at, piece, inode.last_content, at, piece);
    }
  }

  std::span<const DiskEvent> events_;
  std::vector<DiskInode> inodes_;
  std::vector<bool> durable_;
  std::set<Name> lost_;
};

}  // namespace

bool PowerCut::make(size_t count, bool returned, const Survival& survival, std::mt19937_64& random,
                    const std::string& to) {
  Disk disk(recording_, count, returned);
  disk.change(survival, random);
  if (!made_.insert(disk.hash()).second) return false;
  disk.write(to);
  return true;
}

}  // namespace lyr::store
