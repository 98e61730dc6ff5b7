// SPDX-License-Identifier: Apache-2.0
#include "image/tar_writer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "image/tar_header.h"

namespace lyr::image {
namespace {

constexpr size_t ustar_name_bytes_max = 100;
constexpr uint64_t octal_size_max = (uint64_t{1} << 33) - 1;  // eleven digits
constexpr int64_t octal_time_max = (int64_t{1} << 33) - 1;
constexpr uint32_t octal_id_max = (1 << 21) - 1;  // seven
constexpr uint32_t file_mode = 0644;
constexpr uint32_t directory_mode = 0755;
constexpr uint32_t second_ns = 1'000'000'000;
constexpr std::string_view pax_name = "PaxHeaders/entry";
constexpr char pax_type = 'x';
constexpr std::string_view sparse_name = "GNUSparseFile.0/entry";  // for who knows of no such

using Block = std::array<char, tar_block_bytes>;

void set_octal(Block& block, size_t offset, size_t digits, uint64_t value) {
  for (size_t i = digits; i-- > 0; value >>= 3) {
    block[offset + i] = static_cast<char>('0' + (value & 7));
  }
}

void set_text(Block& block, size_t offset, std::string_view text) {
  std::ranges::copy(text.substr(0, ustar_name_bytes_max),
                    block.begin() + static_cast<ptrdiff_t>(offset));
}

char type_flag(TarType type) {
  switch (type) {
    case TarType::file:
      return '0';
    case TarType::hard_link:
      return '1';
    case TarType::symlink:
      return '2';
    case TarType::character_device:
      return '3';
    case TarType::block_device:
      return '4';
    case TarType::directory:
      return '5';
    case TarType::fifo:
      return '6';
  }
  return '0';
}

bool fits_octal(int64_t seconds) { return seconds >= 0 && seconds <= octal_time_max; }

// What does not fit a field is 0 in it: the extended header says it.
Block make_header(const TarEntry& entry, char type) {
  const store::NodeAttr& attr = entry.attr;
  Block block{};
  set_text(block, 0, entry.path);
  set_octal(block, 100, 7, attr.mode);
  set_octal(block, 108, 7, attr.uid <= octal_id_max ? attr.uid : 0);
  set_octal(block, 116, 7, attr.gid <= octal_id_max ? attr.gid : 0);
  set_octal(block, 124, 11, entry.size <= octal_size_max ? entry.size : 0);
  bool fits = fits_octal(attr.mtime_seconds);
  set_octal(block, 136, 11, fits ? static_cast<uint64_t>(attr.mtime_seconds) : 0);
  block[156] = type;
  set_text(block, 157, entry.link_target);
  set_text(block, 257,
           std::string_view("ustar\0"
                            "00",
                            8));
  set_octal(block, 329, 7, entry.device_major);
  set_octal(block, 337, 7, entry.device_minor);
  std::fill_n(block.begin() + 148, 8, ' ');
  uint64_t sum = 0;
  for (char c : block) sum += static_cast<uint8_t>(c);
  set_octal(block, 148, 6, sum);
  block[154] = '\0';
  return block;
}

// "LENGTH KEY=VALUE\n", the length being that of all of it.
std::string pax_record(std::string_view key, std::string_view value) {
  size_t rest = key.size() + value.size() + 3;
  size_t length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) text += digits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += digits[bits << (6 - count) & 63];
  return text;
}

// A record's key ends at the first "=": a name with one only goes into the form that libarchive
// has, with the name as in a URL.
std::string xattr_record(std::string_view name, std::string_view value) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  if (!name.contains('=')) return pax_record("SCHILY.xattr." + std::string(name), value);
  std::string encoded;
  for (char c : name) {
    auto byte = static_cast<uint8_t>(c);
    bool plain = byte > ' ' && byte < 0x7f && c != '%' && c != '=';
    if (plain) encoded += c;
    if (!plain) encoded += {'%', hex[byte >> 4], hex[byte & 15]};
  }
  return pax_record("LIBARCHIVE.xattr." + encoded, base64(value));
}

// "-1.25" is a second and a quarter before 1970.
std::string pax_time(int64_t seconds, uint32_t nanoseconds) {
  bool negative = seconds < 0;
  if (negative && nanoseconds > 0) {
    ++seconds;
    nanoseconds = second_ns - nanoseconds;
  }
  std::string text = std::to_string(seconds);
  if (negative && seconds == 0) text = "-0";
  if (nanoseconds == 0) return text;
  text += "." + std::to_string(second_ns + nanoseconds).substr(1);
  while (text.ends_with('0')) text.pop_back();
  return text;
}

std::string pax_records(const TarEntry& entry) {
  const store::NodeAttr& attr = entry.attr;
  std::string records;
  if (entry.path.size() > ustar_name_bytes_max) records += pax_record("path", entry.path);
  if (entry.link_target.size() > ustar_name_bytes_max)
    records += pax_record("linkpath", entry.link_target);
  if (entry.size > octal_size_max) records += pax_record("size", std::to_string(entry.size));
  if (attr.uid > octal_id_max) records += pax_record("uid", std::to_string(attr.uid));
  if (attr.gid > octal_id_max) records += pax_record("gid", std::to_string(attr.gid));
  if (attr.mtime_nanoseconds > 0 || !fits_octal(attr.mtime_seconds))
    records += pax_record("mtime", pax_time(attr.mtime_seconds, attr.mtime_nanoseconds));
  for (const auto& [name, value] : attr.xattrs) records += xattr_record(name, value);
  return records;
}

// GNU tar's format 1.0 of sparse files (its manual, "PAX Format, Version 1.0"): the name and size
// of the file, and ahead of what is stored of it a map, padded to a block.
std::string sparse_records(const TarEntry& entry) {
  return pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0") +
         pax_record("GNU.sparse.name", entry.path) +
         pax_record("GNU.sparse.realsize", std::to_string(entry.size));
}

std::string sparse_map(const std::vector<SparseSegment>& segments) {
  std::string map = std::to_string(segments.size()) + "\n";
  for (const SparseSegment& segment : segments)
    map += std::to_string(segment.offset) + "\n" + std::to_string(segment.length) + "\n";
  map.resize((map.size() + tar_block_bytes - 1) / tar_block_bytes * tar_block_bytes);
  return map;
}

TarEntry plain_entry(std::string_view path, TarType type, uint64_t size) {
  TarEntry entry;
  entry.type = type;
  entry.path = path;
  entry.attr.mode = type == TarType::directory ? directory_mode : file_mode;
  entry.size = size;
  return entry;
}

}  // namespace

TarWriter::TarWriter(const store::ByteSink& sink) : sink_(sink), block_(tar_writer_block_bytes) {}

Result<> TarWriter::flush() {
  if (filled_ == 0) return {};
  TRY(sink_(std::span(block_).first(filled_)));
  filled_ = 0;
  return {};
}

Result<> TarWriter::put(std::span<const std::byte> data) {
  while (!data.empty()) {
    auto piece = data.first(std::min(data.size(), block_.size() - filled_));
    std::ranges::copy(piece, block_.begin() + static_cast<ptrdiff_t>(filled_));
    filled_ += piece.size();
    data = data.subspan(piece.size());
    if (filled_ == block_.size()) TRY(flush());
  }
  return {};
}

Result<> TarWriter::pad(uint64_t size) {
  static constexpr std::array<std::byte, tar_block_bytes> zeros{};
  size_t over = size % tar_block_bytes;
  return over == 0 ? Result<>() : put(std::span(zeros).subspan(over));
}

Result<> TarWriter::header(const TarEntry& entry, std::string records) {
  records += pax_records(entry);
  if (!records.empty()) {
    Block extended = make_header(plain_entry(pax_name, TarType::file, records.size()), pax_type);
    TRY(put(std::as_bytes(std::span(extended))));
    TRY(put(std::as_bytes(std::span(records))));
    TRY(pad(records.size()));
  }
  Block block = make_header(entry, type_flag(entry.type));
  return put(std::as_bytes(std::span(block)));
}

Result<> TarWriter::directory(std::string_view path) {
  return begin(plain_entry(path, TarType::directory, 0));
}

Result<> TarWriter::file(std::string_view path, std::string_view content) {
  TRY(begin_file(path, content.size()));
  TRY(write(std::as_bytes(std::span(content))));
  return end_file();
}

Result<> TarWriter::begin_file(std::string_view path, uint64_t size) {
  return begin(plain_entry(path, TarType::file, size));
}

Result<> TarWriter::begin(const TarEntry& entry) {
  CHECK(left_ == 0);
  bool is_file = entry.type == TarType::file;
  CHECK(is_file || entry.size == 0);
  if (entry.sparse) return begin_sparse(entry);
  file_bytes_ = left_ = entry.size;
  if (entry.type != TarType::directory || entry.path.ends_with('/')) return header(entry);
  TarEntry named = entry;
  named.path += '/';
  return header(named);
}

Result<> TarWriter::begin_sparse(const TarEntry& entry) {
  std::string map = sparse_map(entry.segments);
  TarEntry member = entry;
  member.path = sparse_name;
  member.size = map.size() + entry.stored_bytes;
  TRY(header(member, sparse_records(entry)));
  file_bytes_ = left_ = entry.stored_bytes;
  return put(std::as_bytes(std::span(map)));
}

Result<> TarWriter::write(std::span<const std::byte> data) {
  if (data.size() > left_) return fail(EIO, "more bytes than the archive has room for");
  left_ -= data.size();
  return put(data);
}

Result<> TarWriter::write_zeros(uint64_t count) {
  if (count > left_) return fail(EIO, "more bytes than the archive has room for");
  left_ -= count;
  while (count > 0) {
    size_t piece = std::min<uint64_t>(count, block_.size() - filled_);
    std::fill_n(block_.begin() + static_cast<ptrdiff_t>(filled_), piece, std::byte{0});
    filled_ += piece;
    count -= piece;
    if (filled_ == block_.size()) TRY(flush());
  }
  return {};
}

Result<> TarWriter::end_file() {
  if (left_ != 0) return fail(EIO, "fewer bytes than they should be");
  return pad(file_bytes_);
}

Result<> TarWriter::finish() {
  static constexpr std::array<std::byte, 2 * tar_block_bytes> end{};
  TRY(put(end));
  return flush();
}

}  // namespace lyr::image
