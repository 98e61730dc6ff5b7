// SPDX-License-Identifier: Apache-2.0
// Nothing is written through a name of the stream: each is a component in a directory that was
// opened beneath the target, and what stands there is replaced, not followed.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <vector>

#include "base/sys_file.h"
#include "engine/tree_copy.h"
#include "image/tar_reader.h"

namespace lyr::engine {
namespace {

using image::TarEntry;
using image::TarType;

constexpr size_t buffer_bytes = 256 << 10;
constexpr size_t directories_max = 1 << 20;  // whose times are set at the end

class PipeSource final : public image::ByteSource {
 public:
  explicit PipeSource(const Fd& pipe) : pipe_(pipe), buffer_(buffer_bytes) {}
  Result<std::span<const std::byte>> next() override {
    size_t got = TRY(sys::read(pipe_, buffer_));
    return std::span<const std::byte>(buffer_).first(got);
  }

 private:
  const Fd& pipe_;
  std::vector<std::byte> buffer_;
};

// Where the first entry goes.
struct Target {
  Fd directory;
  std::string name;       // instead of the first entry's own; empty: the directory itself
  bool in_place = false;  // an existing file, opened as `directory`, takes its content
};

struct Split {
  std::string parent, base;
};
Split split(std::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == path.npos) return {"", std::string(path)};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

// A path without empty and "." components. EBADMSG: "..".
Result<std::string> clean(std::string_view path) {
  std::string result;
  std::string_view rest = path;
  while (!rest.empty()) {
    size_t slash = std::min(rest.find('/'), rest.size());
    std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return fail_saying(EBADMSG, "the stream leaves its tree: " + std::string(path));
    result += (result.empty() ? "" : "/") + std::string(part);
  }
  return result;
}

Result<Target> over_file(const Fd& root, const std::string& path, const struct stat& info,
                         const TarEntry& first) {
  if (!S_ISREG(info.st_mode))
    return fail_saying(EINVAL, path + " is neither a directory nor a regular file");
  if (first.type == TarType::directory)
    return fail_saying(ENOTDIR, "cannot copy a directory over the file " + path);
  if (path.ends_with('/')) return fail_saying(ENOTDIR, path + " is not a directory");
  Target target;
  if (first.type == TarType::file) {
    target.directory = TRY(about(sys::open_in_root(root, path.c_str(), O_WRONLY), path));
    target.in_place = true;
    return target;
  }
  auto [parent, base] = split(path);
  target.directory = TRY(sys::open_in_root(root, ("/" + parent).c_str(), O_RDONLY | O_DIRECTORY));
  target.name = base;
  return target;
}

// docker cp's rules for the destination.
Result<Target> find_target(const Fd& root, const std::string& path, const TarEntry& first,
                           const UnpackOptions& options) {
  Target target;
  bool is_directory = first.type == TarType::directory;
  auto there = sys::open_in_root(root, path.c_str(), O_PATH);
  if (there) {
    auto info = TRY(sys::stat(*there));
    if (!S_ISDIR(info.st_mode)) {
      if (options.any_stream) return fail_saying(ENOTDIR, path + " is not a directory");
      return over_file(root, path, info, first);
    }
    target.directory = TRY(about(sys::open_at(*there, ".", O_RDONLY | O_DIRECTORY), path));
    if (!options.any_stream && !(options.contents && is_directory)) {
      std::string_view own = first.path;
      target.name = TRY(clean(own.substr(0, own.find('/'))));
    }
    return target;
  }
  if (there.error().code != ENOENT || options.any_stream || (path.ends_with('/') && !is_directory))
    return about(Result<Target>(std::unexpected(std::move(there).error())), path);
  std::string bare = path;
  while (bare.ends_with('/')) bare.pop_back();
  auto [parent, base] = split(bare);
  if (base.empty() || base == "." || base == "..")
    return about(Result<Target>(std::unexpected(std::move(there).error())), path);
  target.directory =
      TRY(about(sys::open_in_root(root, ("/" + parent).c_str(), O_RDONLY | O_DIRECTORY), path));
  target.name = base;
  return target;
}

class Unpacker {
 public:
  Unpacker(Target target, image::TarReader& reader, const UnpackOptions& options)
      : target_(std::move(target)), reader_(reader), options_(options) {}

  Result<> put(const TarEntry& entry) {
    if (target_.in_place) {
      TRY(sys::truncate(target_.directory, 0));
      return write_content(target_.directory, entry);
    }
    std::string path = TRY(inner_path(entry.path));
    if (path.empty()) return {};  // the target itself: it keeps its own attributes
    auto [parent_path, base] = split(path);
    Fd parent = TRY(open_parent(parent_path));
    auto done = make(parent, base, entry);
    if (!done) return about(std::move(done), path);
    struct timespec time{entry.attr.mtime_seconds, entry.attr.mtime_nanoseconds};
    if (entry.type != TarType::directory) return set_time(parent, base, time);
    if (directories_.size() < directories_max) directories_.emplace_back(path, time);
    return {};
  }

  // What was put into a directory has changed its time.
  Result<> finish() {
    for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
      auto [parent_path, base] = split(at->first);
      Fd parent = TRY(open_parent(parent_path));
      TRY(set_time(parent, base, at->second));
    }
    return {};
  }

 private:
  // The entry's path beneath the target's directory.
  Result<std::string> inner_path(std::string_view path) const {
    if (options_.any_stream) return clean(path);
    size_t slash = path.find('/');
    std::string_view below = slash == path.npos ? "" : path.substr(slash + 1);
    std::string inner = TRY(clean(below));
    if (target_.name.empty() || inner.empty()) return target_.name + inner;
    return target_.name + "/" + inner;
  }

  Result<Fd> open_parent(const std::string& path) const {
    constexpr int flags = O_RDONLY | O_DIRECTORY;
    if (path.empty()) return sys::open_at(target_.directory, ".", flags);
    auto parent = sys::open_beneath(target_.directory, path.c_str(), flags);
    if (parent || parent.error().code != ENOENT || !options_.any_stream) return parent;
    TRY(sys::mkdir_all_at(target_.directory, path, 0755));
    return sys::open_beneath(target_.directory, path.c_str(), flags);
  }

  Result<> make(const Fd& parent, const std::string& base, const TarEntry& entry) {
    const char* name = base.c_str();
    if (entry.type == TarType::directory) return make_directory(parent, name, entry);
    auto gone = sys::unlink_at(parent, name);
    if (!gone && gone.error().code != ENOENT) return gone;
    if (entry.type == TarType::hard_link) return make_link(parent, name, entry);
    if (entry.type == TarType::file) return make_file(parent, name, entry);
    if (entry.type == TarType::symlink) {
      TRY(sys::symlink_at(entry.link_target.c_str(), parent, name));
      return set_owner(parent, name, entry);
    }
    mode_t kind = entry.type == TarType::fifo               ? S_IFIFO
                  : entry.type == TarType::character_device ? S_IFCHR
                                                            : S_IFBLK;
    dev_t device = makedev(entry.device_major, entry.device_minor);
    TRY(sys::mknod_at(parent, name, kind | mode_of(entry), device));
    TRY(set_owner(parent, name, entry));
    return sys::chmod_at(parent, name, mode_of(entry));
  }

  Result<> make_directory(const Fd& parent, const char* name, const TarEntry& entry) {
    auto made = sys::mkdir_at(parent, name, 0700);
    if (!made && made.error().code != EEXIST) return made;
    // A link to a directory is not followed: what is below would land elsewhere.
    Fd directory = TRY(sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(set_owner(parent, name, entry));
    return sys::chmod(directory, mode_of(entry));
  }

  Result<> make_link(const Fd& parent, const char* name, const TarEntry& entry) {
    std::string target = TRY(inner_path(entry.link_target));
    auto [target_parent, target_base] = split(target);
    Fd directory = TRY(open_parent(target_parent));
    return sys::link_at(directory, target_base.c_str(), parent, name);
  }

  Result<> make_file(const Fd& parent, const char* name, const TarEntry& entry) {
    Fd file = TRY(sys::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY(write_content(file, entry));
    TRY(set_owner(parent, name, entry));
    return sys::chmod(file, mode_of(entry));
  }

  Result<> write_content(const Fd& file, const TarEntry& entry) {
    std::vector<image::SparseSegment> segments = entry.segments;
    if (!entry.sparse) segments = {{0, entry.size}};
    uint64_t size = entry.size;
    auto piece = TRY(reader_.payload());
    for (const image::SparseSegment& segment : segments) {
      for (uint64_t done = 0; done < segment.length;) {
        if (piece.empty()) piece = TRY(reader_.payload());
        if (piece.empty()) return fail_saying(EBADMSG, "the stream ends within a file");
        size_t count = std::min<uint64_t>(piece.size(), segment.length - done);
        TRY(sys::pwrite_all(file, piece.first(count), segment.offset + done));
        piece = piece.subspan(count);
        done += count;
      }
    }
    return sys::truncate(file, size);
  }

  // What ran as its owner there does not run as who unpacks it here (as cp without -p).
  mode_t mode_of(const TarEntry& entry) const {
    return entry.attr.mode & (options_.keep_owner ? 07777U : 01777U);
  }

  Result<> set_owner(const Fd& parent, const char* name, const TarEntry& entry) const {
    if (!options_.keep_owner) return {};
    return sys::chown_at(parent, name, entry.attr.uid, entry.attr.gid);
  }

  static Result<> set_time(const Fd& parent, const std::string& base, const struct timespec& time) {
    const std::array<struct timespec, 2> times{time, time};
    return sys::utimens_at(parent, base.c_str(), times.data());
  }

  Target target_;
  image::TarReader& reader_;
  const UnpackOptions& options_;
  std::vector<std::pair<std::string, struct timespec>> directories_;
};

}  // namespace

Result<> unpack_tree(const Fd& root, std::string_view path, const Fd& tar,
                     const UnpackOptions& options) {
  PipeSource source(tar);
  image::TarReader reader(source);
  const TarEntry* entry = TRY(reader.next());
  if (entry == nullptr) {
    if (options.any_stream) return {};
    return fail(ENODATA, "copy");
  }
  Target target = TRY(find_target(root, std::string(path), *entry, options));
  Unpacker unpacker(std::move(target), reader, options);
  while (entry != nullptr) {
    TRY(unpacker.put(*entry));
    entry = TRY(reader.next());
  }
  TRY(unpacker.finish());
  return reader.finish();
}

}  // namespace lyr::engine
