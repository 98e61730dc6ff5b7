// SPDX-License-Identifier: Apache-2.0
#include "image/blob_source.h"

#include "base/sys_file.h"
#include "image/tar_reader.h"

namespace lyr::image {
namespace {

constexpr int link_depth_max = 8;

struct OpenFile {
  std::shared_ptr<const Fd> file;
  uint64_t size = 0;
};

Result<OpenFile> open_regular(const Fd& directory, const std::string& name) {
  // O_NONBLOCK: a fifo put where a blob should be must not hang us.
  auto file = TRY(sys::open_beneath(directory, name.c_str(), O_RDONLY | O_NONBLOCK));
  auto status = TRY(sys::stat(file));
  if (!S_ISREG(status.st_mode)) return fail(EBADMSG, "open", name + " is not a regular file");
  OpenFile opened;
  opened.file = std::make_shared<const Fd>(std::move(file));
  opened.size = static_cast<uint64_t>(status.st_size);
  return opened;
}

bool has_parent_part(std::string_view path) {
  return ("/" + std::string(path) + "/").find("/../") != std::string::npos;
}

}  // namespace

std::optional<std::string> normal_name(std::string_view name) {
  std::string normal;
  while (!name.empty()) {
    size_t slash = name.find('/');
    std::string_view part = name.substr(0, slash);
    name = slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (normal.empty()) return std::nullopt;
      size_t last = normal.rfind('/');
      normal.resize(last == std::string::npos ? 0 : last);
      continue;
    }
    if (!normal.empty()) normal += '/';
    normal += part;
  }
  return normal;
}

Result<ArchiveSource> ArchiveSource::index(std::shared_ptr<const Fd> file, uint64_t length) {
  ArchiveSource archive(file);
  FileSource source(std::move(file), length);
  TarReader reader(source);
  while (true) {
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) break;
    auto name = normal_name(entry->path);
    if (!name || has_parent_part(entry->path))
      return bad_tar("entry '" + entry->path + "' leaves the archive");
    if (entry->sparse) return bad_tar("entry '" + entry->path + "' is sparse");
    Member member;
    if (entry->type == TarType::file) {
      member.offset = reader.offset();
      member.size = entry->stored_bytes;
      // What is not there cannot be skipped over: seeking would not notice.
      if (member.size > length - member.offset) {
        return bad_tar("entry '" + entry->path + "': the archive ends in it (truncated?)");
      }
    } else if (entry->type == TarType::symlink || entry->type == TarType::hard_link) {
      std::string base;
      if (entry->type == TarType::symlink) base = *name + "/../";
      auto target = normal_name(base + entry->link_target);
      if (!target || target->empty() || entry->link_target.starts_with('/')) continue;
      member.link = *target;
    } else {
      continue;
    }
    if (archive.members_.size() == archive_members_max) return bad_tar("it has too many entries");
    archive.members_.insert_or_assign(*name, std::move(member));
  }
  if (!reader.has_end_marker()) return bad_tar("the archive has no end (truncated?)");
  return archive;
}

const ArchiveSource::Member* ArchiveSource::find(const std::string& name) const {
  std::string at = name;
  for (int depth = 0; depth <= link_depth_max; ++depth) {
    auto member = members_.find(at);
    if (member == members_.end()) return nullptr;
    if (member->second.link.empty()) return &member->second;
    at = member->second.link;
  }
  return nullptr;
}

Result<std::optional<uint64_t>> ArchiveSource::size(const std::string& name) const {
  const Member* member = find(name);
  return member == nullptr ? std::nullopt : std::optional(member->size);
}

Result<std::unique_ptr<ByteReader>> ArchiveSource::open(const std::string& name) const {
  const Member* member = find(name);
  if (member == nullptr) return fail(ENOENT, "open", name);
  return std::make_unique<FileReader>(file_, member->offset, member->size);
}

Result<std::optional<uint64_t>> DirectorySource::size(const std::string& name) const {
  auto opened = open_regular(directory_, name);
  if (opened) return opened->size;
  bool absent = opened.error().code == ENOENT || opened.error().code == ENOTDIR;
  if (absent) return std::nullopt;
  return Failure(std::move(opened).error());
}

Result<std::unique_ptr<ByteReader>> DirectorySource::open(const std::string& name) const {
  auto opened = TRY(open_regular(directory_, name));
  return std::make_unique<FileReader>(std::move(opened.file), 0, opened.size);
}

Result<std::string> read_text(const BlobSource& source, const std::string& name, size_t bytes_max) {
  auto reader = TRY(about(source.open(name), name));
  return about(read_all(*reader, bytes_max), name);
}

}  // namespace lyr::image
