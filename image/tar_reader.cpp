// SPDX-License-Identifier: Apache-2.0
#include "image/tar_reader.h"

#include <algorithm>
#include <cstring>

#include "image/tar_sparse.h"

namespace lyr::image {
namespace {

constexpr uint32_t device_major_max = (1 << 12) - 1;  // Linux's dev_t
constexpr uint32_t device_minor_max = (1 << 20) - 1;
constexpr uint64_t ustar_size_max = 077777777777;  // writers put this or 0 where PAX says the size

Failure truncated() { return bad_tar("the tar ends early (truncated?)"); }

uint64_t padding_of(uint64_t size) {
  return (tar_block_bytes - size % tar_block_bytes) % tar_block_bytes;
}

Result<uint32_t> checked_id(int64_t id, const char* what) {
  if (id < 0 || id > id_max) {
    return bad_tar(std::string(what) + " " + std::to_string(id) + " is out of range");
  }
  return static_cast<uint32_t>(id);
}

}  // namespace

TarReader::TarReader(ByteSource& source, RawSink raw) : source_(source), raw_(std::move(raw)) {}

Result<const TarEntry*> TarReader::next() {
  auto entry = advance();
  if (!entry) return blame(std::move(entry).error());
  return *entry;
}

Failure TarReader::blame(Error error) const {
  if (error.code == EBADMSG && error.subject != nullptr) {
    return fail(EBADMSG, error.call, where_ + ": " + *error.subject);
  }
  return Failure(std::move(error));
}

// False at the end of the stream.
Result<bool> TarReader::fill() {
  if (rest_.empty()) rest_ = TRY(source_.next());
  return !rest_.empty();
}

Result<bool> TarReader::read_block() {
  size_t filled = 0;
  while (filled < block_.size()) {
    bool more = TRY(fill());
    if (!more && filled == 0) return false;
    if (!more) return truncated();
    size_t count = std::min(rest_.size(), block_.size() - filled);
    std::memcpy(block_.data() + filled, rest_.data(), count);
    rest_ = rest_.subspan(count);
    filled += count;
  }
  offset_ += filled;
  if (raw_) TRY(raw_(block_));
  return true;
}

Result<std::string> TarReader::read_text(uint64_t size, uint64_t limit, const char* what) {
  if (size > limit) return bad_tar(std::string(what) + " is too large");
  std::string text;
  while (text.size() < size) {
    bool more = TRY(read_block());
    if (!more) return truncated();
    size_t count = std::min<uint64_t>(block_.size(), size - text.size());
    text.append(reinterpret_cast<const char*>(block_.data()), count);
  }
  return text;
}

Result<> TarReader::pass(uint64_t count) {
  while (count > 0) {
    if (rest_.empty() && !raw_) {
      uint64_t skipped = TRY(source_.skip(count));
      offset_ += skipped;
      count -= skipped;
      if (skipped > 0) continue;
    }
    bool more = TRY(fill());
    if (!more) return truncated();
    auto piece = rest_.first(std::min<uint64_t>(rest_.size(), count));
    if (raw_) TRY(raw_(piece));
    rest_ = rest_.subspan(piece.size());
    offset_ += piece.size();
    count -= piece.size();
  }
  return {};
}

Result<std::span<const std::byte>> TarReader::payload() {
  if (payload_left_ == 0) return std::span<const std::byte>();
  auto more = fill();
  if (!more) return Failure(std::move(more).error());
  if (!*more) {
    return bad_tar(where_ + ": the tar ends in its content (truncated?)");
  }
  auto piece = rest_.first(std::min<uint64_t>(rest_.size(), payload_left_));
  rest_ = rest_.subspan(piece.size());
  offset_ += piece.size();
  payload_left_ -= piece.size();
  return piece;
}

// With the first block of what may be the end in block_. A lone zero block is damage, except as
// the very last one: some writers stop there.
Result<bool> TarReader::at_end() {
  if (!is_zero(block_)) return false;
  bool more = TRY(read_block());
  if (!more) return true;
  if (!is_zero(block_)) return bad_tar("a zero block stands between entries");
  end_marker_ = true;
  return true;
}

Result<const TarEntry*> TarReader::advance() {
  if (ended_) return nullptr;
  TRY(pass(payload_left_));
  payload_left_ = 0;
  TRY(pass(padding_left_));
  padding_left_ = 0;
  while (true) {
    where_ = "at byte " + std::to_string(offset_);
    bool more = TRY(read_block());
    bool end = !more;
    if (more) end = TRY(at_end());
    if (end) {
      if (!pending_.empty()) return bad_tar("the tar ends after an extended header (truncated?)");
      ended_ = true;
      return nullptr;
    }
    TarHeader header = TRY(parse_tar_header(block_));
    bool extension = TRY(take_extension(header));
    if (extension) continue;
    TRY(begin_entry(header));
    pending_ = {};
    return &entry_;
  }
}

// Headers that only say something about the next entry (or, global ones, nothing to us).
Result<bool> TarReader::take_extension(const TarHeader& header) {
  switch (header.type) {
    case 'x': {
      if (pending_.pax) return bad_tar("an entry has two PAX headers");
      std::string text = TRY(read_text(header.size, pax_bytes_max, "a PAX header"));
      pending_.pax = TRY(parse_pax(text));
      return true;
    }
    case 'g': {
      std::string text = TRY(read_text(header.size, pax_bytes_max, "a global PAX header"));
      TRY(check_global_pax(text));
      return true;
    }
    case 'L':
    case 'K': {
      auto& name = header.type == 'L' ? pending_.long_path : pending_.long_link;
      if (name) return bad_tar("an entry has two long names");
      name = TRY(read_text(header.size, store::path_bytes_max + 1, "a long name"));
      name->resize(std::min(name->size(), name->find('\0')));
      return true;
    }
    default:
      return false;
  }
}

Result<> TarReader::begin_entry(const TarHeader& header) {
  entry_ = TarEntry();
  TRY(set_names(header));
  TRY(set_type(header));
  TRY(set_attributes(header));
  return set_content(header);
}

Result<> TarReader::set_names(const TarHeader& header) {
  const PaxRecords* pax = pending_.pax ? &*pending_.pax : nullptr;
  entry_.path = pending_.long_path.value_or(header.path);
  entry_.link_target = pending_.long_link.value_or(header.link_target);
  if (pax != nullptr) {
    const auto& pax_path = pax->sparse.name ? pax->sparse.name : pax->path;
    bool other_path = pending_.long_path && pax_path && *pax_path != *pending_.long_path;
    bool other_link =
        pending_.long_link && pax->link_path && *pax->link_path != *pending_.long_link;
    if (other_path || other_link) return bad_tar("its GNU and PAX headers give different names");
    entry_.path = pax_path.value_or(entry_.path);
    entry_.link_target = pax->link_path.value_or(entry_.link_target);
  }
  where_ = "entry '" + entry_.path.substr(0, 300) + "'";
  if (entry_.path.empty()) return bad_tar("its name is empty");
  if (entry_.path.size() > store::path_bytes_max) return bad_tar("its name is too long");
  if (entry_.link_target.size() > store::path_bytes_max) return bad_tar("its target is too long");
  return {};
}

Result<> TarReader::set_type(const TarHeader& header) {
  bool slash = entry_.path.ends_with('/');
  switch (header.type) {
    case '\0':  // v7 has no directory type: the slash says it
      entry_.type = slash ? TarType::directory : TarType::file;
      break;
    case '0':
    case '7':  // "contiguous": nobody makes a difference
    case 'S':
      entry_.type = TarType::file;
      break;
    case '1':
      entry_.type = TarType::hard_link;
      break;
    case '2':
      entry_.type = TarType::symlink;
      break;
    case '3':
      entry_.type = TarType::character_device;
      break;
    case '4':
      entry_.type = TarType::block_device;
      break;
    case '5':
      entry_.type = TarType::directory;
      break;
    case '6':
      entry_.type = TarType::fifo;
      break;
    default:
      return bad_tar("its type '" + std::string(1, header.type) + "' is not one lyr knows");
  }
  if (slash && entry_.type != TarType::directory) {
    return bad_tar("its name ends in '/', but it is no directory");
  }
  while (entry_.path.size() > 1 && entry_.path.ends_with('/')) entry_.path.pop_back();
  bool link = entry_.type == TarType::hard_link || entry_.type == TarType::symlink;
  if (link && entry_.link_target.empty()) return bad_tar("its target is empty");
  if (!link) entry_.link_target.clear();
  return {};
}

Result<> TarReader::set_attributes(const TarHeader& header) {
  PaxRecords* pax = pending_.pax ? &*pending_.pax : nullptr;
  store::NodeAttr& attr = entry_.attr;
  attr.mode = header.mode;
  attr.mtime_seconds = header.mtime_seconds;
  attr.uid = TRY(checked_id(pax != nullptr ? pax->uid.value_or(header.uid) : header.uid, "uid"));
  attr.gid = TRY(checked_id(pax != nullptr ? pax->gid.value_or(header.gid) : header.gid, "gid"));
  if (pax != nullptr && pax->mtime) {
    attr.mtime_seconds = pax->mtime->seconds;
    attr.mtime_nanoseconds = pax->mtime->nanoseconds;
  }
  if (pax != nullptr) attr.xattrs = std::move(pax->xattrs);
  if (header.device_major < 0 || header.device_major > device_major_max ||
      header.device_minor < 0 || header.device_minor > device_minor_max) {
    return bad_tar("its device number is out of range");
  }
  const auto device_major = static_cast<uint32_t>(header.device_major);
  const auto device_minor = static_cast<uint32_t>(header.device_minor);
  // libarchive takes PAX's, GNU tar and docker know only the header's.
  bool device = entry_.type == TarType::character_device || entry_.type == TarType::block_device;
  if (device && pax != nullptr &&
      (pax->device_major.value_or(device_major) != device_major ||
       pax->device_minor.value_or(device_minor) != device_minor)) {
    return bad_tar("its tar and PAX headers give different device numbers");
  }
  entry_.device_major = device_major;
  entry_.device_minor = device_minor;
  return {};
}

// The size decides where the next header is, so there must be one answer to what it is: PAX's goes
// before the header's, and the two may differ only where the header could not hold it
// (CVE-2025-62518).
Result<> TarReader::set_content(const TarHeader& header) {
  uint64_t size = header.size;
  if (pending_.pax && pending_.pax->size) {
    size = *pending_.pax->size;
    bool conflict = header.size != 0 && header.size != ustar_size_max && header.size != size;
    if (conflict) return bad_tar("its tar and PAX headers give different sizes");
  }
  if (entry_.type != TarType::file) {
    if (size > 0) return bad_tar("it is no file, yet has content");
    return {};
  }
  if (size > file_bytes_max) return bad_tar("it is too large");
  entry_.size = size;
  entry_.stored_bytes = size;
  payload_left_ = size;
  padding_left_ = padding_of(size);
  bool pax_sparse = pending_.pax && pending_.pax->sparse.used;
  if (pax_sparse && header.type == 'S') return bad_tar("it has two sparse maps");
  // libarchive goes by the map alone, GNU tar by the type alone.
  bool gnu = header.format == TarFormat::gnu;
  if (gnu && header.type != 'S' && has_old_sparse(block_)) {
    return bad_tar("it has a sparse map, but not the type of a sparse file");
  }
  if (!gnu && header.type == 'S') return bad_tar("it is a sparse file without a GNU header");
  if (header.type == 'S') TRY(read_old_sparse());
  if (pax_sparse) TRY(read_pax_sparse(pending_.pax->sparse));
  return {};
}

Result<> TarReader::read_old_sparse() {
  OldSparse sparse = TRY(parse_old_sparse(block_));
  while (sparse.extended) {
    bool more = TRY(read_block());
    if (!more) return truncated();
    TRY(add_old_sparse_block(sparse, block_));
  }
  entry_.sparse = true;
  entry_.size = sparse.size;
  entry_.segments = std::move(sparse.segments);
  return check_segments(entry_.segments, entry_.size, entry_.stored_bytes);
}

Result<> TarReader::read_pax_sparse(const PaxSparse& sparse) {
  if (!sparse.size) return bad_tar("its sparse map has no file size");
  uint64_t major = sparse.major.value_or(0);
  bool in_content = major == 1 && sparse.minor.value_or(0) == 0;
  if (major > 1 || (major == 1 && !in_content)) return bad_tar("its sparse format is not known");
  entry_.sparse = true;
  entry_.size = *sparse.size;
  entry_.segments = sparse.segments;
  if (in_content) {
    if (!sparse.segments.empty()) return bad_tar("it has two sparse maps");
    SparseMapParser map;
    bool complete = false;
    while (!complete) {
      if (payload_left_ < tar_block_bytes) return bad_tar("its sparse map is cut off");
      bool more = TRY(read_block());
      if (!more) return truncated();
      payload_left_ -= tar_block_bytes;
      complete = TRY(map.add(block_));
    }
    entry_.segments = map.take();
    entry_.stored_bytes = payload_left_;
  } else if (sparse.segment_count && *sparse.segment_count != sparse.segments.size()) {
    return bad_tar("its sparse map does not have the segments it says");
  }
  return check_segments(entry_.segments, entry_.size, entry_.stored_bytes);
}

Result<> TarReader::finish() {
  uint64_t trailing = 0;
  while (true) {
    bool more = TRY(fill());
    if (!more) return {};
    trailing += rest_.size();
    if (trailing > trailing_bytes_max) return bad_tar("too much data follows the tar's end");
    uint64_t count = rest_.size();
    TRY(pass(count));
  }
}

}  // namespace lyr::image
