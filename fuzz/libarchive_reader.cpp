// SPDX-License-Identifier: Apache-2.0
#include "fuzz/libarchive_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "base/check.h"

namespace lyr::fuzz {
namespace {

constexpr size_t stored_bytes_max = 8 << 20;  // of an entry: sparse maps may announce any number

struct Close {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

std::string text_of(const char* text) { return text == nullptr ? "" : text; }

char type_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return 'h';
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return 'f';
    case AE_IFDIR:
      return 'd';
    case AE_IFLNK:
      return 'l';
    case AE_IFCHR:
      return 'c';
    case AE_IFBLK:
      return 'b';
    case AE_IFIFO:
      return 'p';
    default:
      return '?';
  }
}

SeenEntry attributes_of(archive_entry* entry) {
  SeenEntry seen;
  seen.type = type_of(entry);
  seen.path = text_of(archive_entry_pathname(entry));
  while (seen.path.size() > 1 && seen.path.ends_with('/')) seen.path.pop_back();
  if (seen.type == 'h') seen.link_target = text_of(archive_entry_hardlink(entry));
  if (seen.type == 'l') seen.link_target = text_of(archive_entry_symlink(entry));
  seen.mode = archive_entry_perm(entry) & 07777;
  seen.uid = archive_entry_uid(entry);
  seen.gid = archive_entry_gid(entry);
  seen.mtime_seconds = archive_entry_mtime(entry);
  seen.mtime_nanoseconds = archive_entry_mtime_nsec(entry);
  if (seen.type == 'c' || seen.type == 'b') {
    seen.device_major = static_cast<int64_t>(archive_entry_rdevmajor(entry));
    seen.device_minor = static_cast<int64_t>(archive_entry_rdevminor(entry));
  }
  if (seen.type == 'f') seen.size = static_cast<uint64_t>(archive_entry_size(entry));
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t bytes = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &bytes) == ARCHIVE_OK) {
    std::string text(static_cast<const char*>(value), bytes);
    if (!seen.xattrs.emplace(name, text).second) seen.more_xattrs.emplace(name, text);
  }
  return seen;
}

bool read_content(archive* reader, SeenEntry& seen) {
  size_t stored = 0;
  while (true) {
    const void* data = nullptr;
    size_t bytes = 0;
    la_int64_t offset = 0;
    int outcome = archive_read_data_block(reader, &data, &bytes, &offset);
    if (outcome == ARCHIVE_EOF) return true;
    stored += bytes;
    if (outcome != ARCHIVE_OK || stored > stored_bytes_max) return false;
    std::string text(static_cast<const char*>(data), bytes);
    if (bytes > 0) seen.content.push_back({static_cast<uint64_t>(offset), std::move(text)});
  }
}

}  // namespace

std::optional<std::vector<SeenEntry>> read_by_libarchive(std::span<const std::byte> tar) {
  std::unique_ptr<archive, Close> reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  archive_read_set_options(reader.get(), "hdrcharset=BINARY");
  if (archive_read_open_memory(reader.get(), tar.data(), tar.size()) != ARCHIVE_OK) {
    return std::nullopt;
  }
  std::vector<SeenEntry> entries;
  while (true) {
    archive_entry* entry = nullptr;
    int outcome = archive_read_next_header(reader.get(), &entry);
    if (outcome == ARCHIVE_EOF) return entries;
    if (outcome != ARCHIVE_OK) return std::nullopt;
    SeenEntry seen = attributes_of(entry);
    if (!read_content(reader.get(), seen)) return std::nullopt;
    entries.push_back(std::move(seen));
  }
}

}  // namespace lyr::fuzz
