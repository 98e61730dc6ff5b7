// SPDX-License-Identifier: Apache-2.0
// Writes POSIX tar (IEEE Std 1003.1 pax): ustar headers, and an extended header before an entry
// that does not fit one.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>

#include "base/sys_file.h"
#include "engine/tree_copy.h"

namespace lyr::engine {
namespace {

constexpr size_t block_bytes = 512;
constexpr size_t name_bytes_max = 100;
constexpr uint64_t octal_size_max = uint64_t{8} << 30;
constexpr uint32_t octal_id_max = 1 << 21;
constexpr time_t octal_time_max = (time_t{1} << 33) - 1;
constexpr size_t buffer_bytes = 256 << 10;
constexpr int depth_max = 200;  // each level holds a descriptor
constexpr int links_in_a_row_max = 40;
constexpr size_t hard_links_max = 1 << 20;  // beyond, a further name is a file of its own

struct Header {
  std::string name, link;
  struct stat info{};
  char type = '0';
  uint64_t size = 0;
};

std::string pax_record(const std::string& key, const std::string& value) {
  size_t bare = key.size() + value.size() + 3;
  size_t total = bare + std::to_string(bare).size();
  total = bare + std::to_string(total).size();
  return std::to_string(total) + " " + key + "=" + value + "\n";
}

class Packer {
 public:
  explicit Packer(const Fd& tar) : tar_(tar), buffer_(buffer_bytes) {}

  Result<> add(const Fd& parent, const std::string& base, const std::string& name, int depth) {
    Header header;
    header.name = name;
    header.info = TRY(about(sys::stat_at(parent, base.c_str()), name));
    mode_t kind = header.info.st_mode & S_IFMT;
    if (kind == S_IFDIR) return add_directory(parent, base, std::move(header), depth);
    if (kind == S_IFSOCK) return {};
    if (kind == S_IFLNK) {
      header.type = '2';
      header.link = TRY(about(sys::readlink_at(parent, base.c_str()), name));
      return write_header(header);
    }
    if (const std::string* first = earlier_name(header.info, name)) {
      header.type = '1';
      header.link = *first;
      return write_header(header);
    }
    if (kind == S_IFREG) return add_file(parent, base, std::move(header));
    header.type = kind == S_IFCHR ? '3' : kind == S_IFBLK ? '4' : '6';
    return write_header(header);
  }

  Result<> finish() {
    const std::array<std::byte, 2 * block_bytes> end{};
    return sys::write_all(tar_, end);
  }

 private:
  const std::string* earlier_name(const struct stat& info, const std::string& name) {
    if (info.st_nlink < 2 || names_.size() >= hard_links_max) return nullptr;
    auto [at, fresh] = names_.try_emplace({info.st_dev, info.st_ino}, name);
    return fresh ? nullptr : &at->second;
  }

  Result<> add_directory(const Fd& parent, const std::string& base, Header header, int depth) {
    if (depth > depth_max) return fail_saying(ELOOP, header.name + " is nested too deep");
    std::string name = header.name;
    header.name += '/';
    header.type = '5';
    TRY(write_header(header));
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    Fd directory = TRY(about(sys::open_at(parent, base.c_str(), flags), name));
    bool of_kernel = TRY(shows_the_kernel(directory));
    if (depth > 0 && (of_kernel || name == "./dev")) return {};
    std::vector<std::string> entries;
    TRY(sys::read_directory(directory, [&](const sys::DirectoryEntry& entry) {
      entries.emplace_back(entry.name);
      return true;
    }));
    std::ranges::sort(entries);
    for (const std::string& entry : entries) {
      auto added = add(directory, entry, name + "/" + entry, depth + 1);
      // What goes away meanwhile is not there.
      if (!added && added.error().code != ENOENT) return added;
    }
    return {};
  }

  // What is in /proc, /sys and /dev is no file of the container's: not copied, as with docker cp,
  // unless it is named.
  static Result<bool> shows_the_kernel(const Fd& directory) {
    for (long magic : {PROC_SUPER_MAGIC, SYSFS_MAGIC}) {
      bool there = TRY(sys::is_on_file_system(directory, magic));
      if (there) return true;
    }
    return false;
  }

  Result<> add_file(const Fd& parent, const std::string& base, Header header) {
    constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    Fd file = TRY(about(sys::open_at(parent, base.c_str(), flags), header.name));
    header.info = TRY(sys::stat(file));
    if (!S_ISREG(header.info.st_mode)) return {};  // it has become something else
    header.size = static_cast<uint64_t>(header.info.st_size);
    TRY(write_header(header));
    for (uint64_t left = header.size; left > 0;) {
      std::span<std::byte> piece(buffer_.data(), std::min<uint64_t>(left, buffer_.size()));
      size_t got = TRY(about(sys::read(file, piece), header.name));
      if (got == 0) {  // it has shrunk: the header has promised, so zeros, as tar writes
        got = piece.size();
        std::ranges::fill(piece, std::byte{0});
      }
      TRY(sys::write_all(tar_, piece.first(got)));
      left -= got;
    }
    return pad(header.size);
  }

  Result<> pad(uint64_t size) {
    const std::array<std::byte, block_bytes> zeros{};
    size_t over = size % block_bytes;
    if (over == 0) return {};
    return sys::write_all(tar_, std::span(zeros).first(block_bytes - over));
  }

  Result<> write_header(const Header& header) {
    std::string extended;
    if (header.name.size() > name_bytes_max) extended += pax_record("path", header.name);
    if (header.link.size() > name_bytes_max) extended += pax_record("linkpath", header.link);
    if (header.size >= octal_size_max) extended += pax_record("size", std::to_string(header.size));
    if (header.info.st_uid >= octal_id_max)
      extended += pax_record("uid", std::to_string(header.info.st_uid));
    if (header.info.st_gid >= octal_id_max)
      extended += pax_record("gid", std::to_string(header.info.st_gid));
    time_t mtime = header.info.st_mtime;
    if (mtime < 0 || mtime > octal_time_max) extended += pax_record("mtime", std::to_string(mtime));
    if (!extended.empty()) {
      Header pax;
      pax.name = "pax";
      pax.type = 'x';
      pax.size = extended.size();
      TRY(write_block(pax));
      TRY(sys::write_all(tar_, extended));
      TRY(pad(extended.size()));
    }
    return write_block(header);
  }

  Result<> write_block(const Header& header) {
    std::array<char, block_bytes> block{};
    auto text = [&](size_t at, size_t length, const std::string& value) {
      std::memcpy(&block.at(at), value.data(), std::min(length, value.size()));
    };
    auto octal = [&](size_t at, int digits, uint64_t value) {
      // A value too long stands in the extended header.
      uint64_t fits = value & ((uint64_t{1} << (3 * digits)) - 1);
      std::snprintf(&block.at(at), static_cast<size_t>(digits) + 1, "%0*llo", digits,
                    static_cast<unsigned long long>(fits));
    };
    const struct stat& info = header.info;
    text(0, name_bytes_max, header.name);
    octal(100, 7, info.st_mode & 07777);
    octal(108, 7, info.st_uid);
    octal(116, 7, info.st_gid);
    octal(124, 11, header.size);
    octal(136, 11, static_cast<uint64_t>(std::max<time_t>(info.st_mtime, 0)));
    text(148, 8, "        ");
    block[156] = header.type;
    text(157, name_bytes_max, header.link);
    text(257, 8, std::string("ustar\00000", 8));
    bool device = header.type == '3' || header.type == '4';
    octal(329, 7, device ? major(info.st_rdev) : 0);
    octal(337, 7, device ? minor(info.st_rdev) : 0);
    unsigned sum = 0;
    for (char c : block) sum += static_cast<unsigned char>(c);
    octal(148, 6, sum);
    return sys::write_all(tar_, std::string_view(block.data(), block.size()));
  }

  const Fd& tar_;
  std::vector<std::byte> buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> names_;
};

struct Place {
  Fd parent;
  std::string base;
};

// The directory that holds `path`, and its name there: "." for the root and what ends in dots.
Result<Place> place_of(const Fd& root, std::string path) {
  while (path.ends_with('/') || path.ends_with("/.")) path.pop_back();
  size_t slash = path.rfind('/');
  std::string base = slash == path.npos ? path : path.substr(slash + 1);
  bool itself = base.empty() || base == "." || base == "..";
  std::string parent = itself ? "/" + path : "/" + path.substr(0, slash == path.npos ? 0 : slash);
  Place place;
  place.parent = TRY(about(sys::open_in_root(root, parent.c_str(), O_RDONLY | O_DIRECTORY), path));
  place.base = itself ? "." : base;
  return place;
}

}  // namespace

Result<> pack_tree(const Fd& root, std::string_view path, bool follow_link, const Fd& tar) {
  std::string at(path);
  follow_link = follow_link || path.ends_with('/');
  Place place = TRY(place_of(root, at));
  std::string name = place.base;
  for (int links = 0; follow_link; ++links) {
    auto info = TRY(about(sys::stat_at(place.parent, place.base.c_str()), at));
    if (!S_ISLNK(info.st_mode)) break;
    if (links == links_in_a_row_max) return about(Result<>(fail(ELOOP, "follow")), path);
    std::string target = TRY(sys::readlink_at(place.parent, place.base.c_str()));
    while (at.ends_with('/')) at.pop_back();
    at = target.starts_with('/') ? target : at.substr(0, at.rfind('/') + 1) + target;
    place = TRY(place_of(root, at));
  }
  auto there = sys::stat_at(place.parent, place.base.c_str());
  if (!there) return about(Result<>(std::unexpected(std::move(there).error())), path);
  Packer packer(tar);
  TRY(packer.add(place.parent, place.base, name, 0));
  return packer.finish();
}

}  // namespace lyr::engine
