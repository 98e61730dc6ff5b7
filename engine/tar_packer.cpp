// SPDX-License-Identifier: Apache-2.0
#include "engine/tar_packer.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "base/sys_file.h"

namespace lyr::engine {
namespace {

using image::SparseSegment;
using image::TarEntry;
using image::TarType;

constexpr size_t buffer_bytes = 256 << 10;
constexpr uint64_t stat_block_bytes = 512;
constexpr uint64_t holes_bytes_min = 1 << 20;  // of a file: fewer are written as zeros
constexpr size_t segments_max = 1 << 16;       // and so are those between more
constexpr size_t hard_links_max = 1 << 20;     // beyond, a further name is a file of its own

// What an image may say of its files. The rest is this host's (security.selinux) or the union's.
bool is_kept(const std::string& attribute) {
  return attribute.starts_with("user.") || attribute == "security.capability" ||
         attribute == "system.posix_acl_access" || attribute == "system.posix_acl_default";
}

TarType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return TarType::directory;
    case S_IFLNK:
      return TarType::symlink;
    case S_IFCHR:
      return TarType::character_device;
    case S_IFBLK:
      return TarType::block_device;
    case S_IFIFO:
      return TarType::fifo;
    default:
      return TarType::file;
  }
}

TarEntry entry_of(const std::string& name, const struct stat& info, Keep keep,
                  const TarPacker::Owner& owner) {
  TarEntry entry;
  entry.type = type_of(info.st_mode);
  entry.path = name;
  entry.attr.mode = info.st_mode & 07777;
  entry.attr.uid = owner ? owner->uid : info.st_uid;
  entry.attr.gid = owner ? owner->gid : info.st_gid;
  entry.attr.mtime_seconds = info.st_mtim.tv_sec;
  if (keep == Keep::exact)
    entry.attr.mtime_nanoseconds = static_cast<uint32_t>(info.st_mtim.tv_nsec);
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    entry.device_major = major(info.st_rdev);
    entry.device_minor = minor(info.st_rdev);
  }
  return entry;
}

// Where the file has data, if what it has not is worth a map. As GNU tar does, the last reaches the
// end of the file.
std::optional<std::vector<SparseSegment>> segments_of(const Fd& file, uint64_t size) {
  std::vector<SparseSegment> segments;
  uint64_t holes = 0;
  for (uint64_t at = 0; at < size;) {
    auto data = sys::seek(file, at, SEEK_DATA);
    if (!data && data.error().code != ENXIO) return std::nullopt;
    uint64_t begin = data ? std::min(*data, size) : size;
    holes += begin - at;
    auto hole = sys::seek(file, begin, SEEK_HOLE);
    at = hole && *hole > begin ? std::min(*hole, size) : size;
    segments.push_back({.offset = begin, .length = at - begin});
    if (segments.size() > segments_max) return std::nullopt;
  }
  return holes < holes_bytes_min ? std::nullopt : std::optional(std::move(segments));
}

}  // namespace

bool may_be_left_out(const Error& error) {
  return error.code == ENOENT || error.code == ENOTDIR || error.code == ELOOP ||
         error.code == EXDEV;
}

TarPacker::TarPacker(const Fd& tar, Keep keep)
    : sink_([&tar](std::span<const std::byte> piece) { return sys::write_all(tar, piece); }),
      writer_(sink_),
      keep_(keep),
      buffer_(buffer_bytes) {}

Result<> TarPacker::add(const Fd& parent, const std::string& base, const std::string& name,
                        const struct stat& info, const Identity& identity, const Owner& owner) {
  if (S_ISSOCK(info.st_mode)) return {};
  TarEntry entry = entry_of(name, info, keep_, owner);
  bool has_names = entry.type != TarType::directory && info.st_nlink > 1;
  auto first = has_names ? names_.find(identity) : names_.end();
  if (first != names_.end()) {
    entry.type = TarType::hard_link;
    entry.link_target = first->second;
    return writer_.begin(entry);
  }
  const Identity* named = has_names ? &identity : nullptr;
  if (entry.type == TarType::file) return add_file(parent, base, std::move(entry), named, owner);
  if (entry.type == TarType::symlink) {
    entry.link_target = TRY(about(sys::readlink_at(parent, base.c_str()), name));
  } else if (keep_ == Keep::exact) {
    Fd object = TRY(sys::open_at(parent, base.c_str(), O_PATH | O_NOFOLLOW));
    TRY(about(add_attributes(object, entry), name));
  }
  return begin(entry, named);
}

Result<> TarPacker::add_empty(const std::string& name) { return writer_.file(name, ""); }

// `named`: other names of it may follow, which can be links of this one as soon as it is there.
Result<> TarPacker::begin(const TarEntry& entry, const Identity* named) {
  TRY(writer_.begin(entry));
  if (named != nullptr && names_.size() < hard_links_max) names_.try_emplace(*named, entry.path);
  return {};
}

Result<> TarPacker::add_attributes(const Fd& object, TarEntry& entry) const {
  if (keep_ == Keep::usual) return {};
  auto names = sys::list_xattrs(object);
  if (!names && names.error().code == EOPNOTSUPP) return {};
  if (!names) return std::unexpected(std::move(names).error());
  std::ranges::sort(*names);
  for (std::string& name : *names) {
    if (!is_kept(name)) continue;
    auto value = sys::get_xattr(object, name.c_str());
    if (!value && value.error().code == ENODATA) continue;  // it has just gone
    if (!value) return about(Result<>(std::unexpected(std::move(value).error())), name);
    entry.attr.xattrs.emplace_back(std::move(name), std::move(*value));
  }
  return {};
}

Result<> TarPacker::add_file(const Fd& parent, const std::string& base, TarEntry entry,
                             const Identity* named, const Owner& owner) {
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  auto opened = sys::open_at(parent, base.c_str(), flags);
  if (!opened && opened.error().code == ENXIO) return {};  // it has become a socket
  Fd file = TRY(about(std::move(opened), entry.path));
  auto info = TRY(sys::stat(file));
  if (!S_ISREG(info.st_mode)) return {};  // it has become something else
  entry = entry_of(entry.path, info, keep_, owner);
  TRY(about(add_attributes(file, entry), entry.path));
  entry.size = static_cast<uint64_t>(info.st_size);
  bool has_holes = static_cast<uint64_t>(info.st_blocks) * stat_block_bytes < entry.size;
  auto segments = has_holes && keep_ == Keep::exact ? segments_of(file, entry.size) : std::nullopt;
  if (segments) {
    entry.sparse = true;
    entry.segments = std::move(*segments);
    for (const SparseSegment& segment : entry.segments) entry.stored_bytes += segment.length;
  }
  TRY(begin(entry, named));
  auto added = entry.sparse ? add_segments(file, entry)
               : has_holes  ? add_sparse_content(file, entry.size)
                            : add_content(file, 0, entry.size);
  // Only before it was begun is a file one that has gone.
  if (!added && may_be_left_out(added.error())) added.error().code = EIO;
  TRY(about(std::move(added), entry.path));
  return writer_.end_file();
}

Result<> TarPacker::add_content(const Fd& file, uint64_t from, uint64_t to) {
  while (from < to) {
    std::span<std::byte> piece(buffer_.data(), std::min<uint64_t>(to - from, buffer_.size()));
    size_t got = TRY(sys::pread(file, piece, from));
    // It has shrunk: the header has promised, so zeros, as tar writes.
    if (got == 0) return writer_.write_zeros(to - from);
    TRY(writer_.write(piece.first(got)));
    from += got;
  }
  return {};
}

Result<> TarPacker::add_segments(const Fd& file, const TarEntry& entry) {
  for (const SparseSegment& segment : entry.segments)
    TRY(add_content(file, segment.offset, segment.offset + segment.length));
  return {};
}

// Holes are written as the zeros they mean, but nobody asks for them.
Result<> TarPacker::add_sparse_content(const Fd& file, uint64_t size) {
  for (uint64_t at = 0; at < size;) {
    auto data = sys::seek(file, at, SEEK_DATA);
    if (!data && data.error().code != ENXIO) return add_content(file, at, size);
    uint64_t begin = data ? std::min(*data, size) : size;
    TRY(writer_.write_zeros(begin - at));
    auto hole = sys::seek(file, begin, SEEK_HOLE);
    at = hole && *hole > begin ? std::min(*hole, size) : size;
    TRY(add_content(file, begin, at));
  }
  return {};
}

}  // namespace lyr::engine
