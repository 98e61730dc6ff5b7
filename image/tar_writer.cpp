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
constexpr uint32_t file_mode = 0644;
constexpr uint32_t directory_mode = 0755;
constexpr std::string_view pax_name = "PaxHeaders/entry";

using Block = std::array<char, tar_block_bytes>;

void set_octal(Block& block, size_t offset, size_t digits, uint64_t value) {
  for (size_t i = digits; i-- > 0; value >>= 3) {
    block[offset + i] = static_cast<char>('0' + (value & 7));
  }
}

void set_text(Block& block, size_t offset, std::string_view text) {
  std::ranges::copy(text, block.begin() + static_cast<ptrdiff_t>(offset));
}

Block make_header(std::string_view path, char type, uint64_t size) {
  Block block{};
  set_text(block, 0, path.substr(0, ustar_name_bytes_max));
  set_octal(block, 100, 7, type == '5' ? directory_mode : file_mode);
  set_octal(block, 108, 7, 0);  // uid, gid
  set_octal(block, 116, 7, 0);
  set_octal(block, 124, 11, size <= octal_size_max ? size : 0);
  set_octal(block, 136, 11, 0);  // mtime
  block[156] = type;
  set_text(block, 257,
           std::string_view("ustar\0"
                            "00",
                            8));
  set_octal(block, 329, 7, 0);  // device
  set_octal(block, 337, 7, 0);
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

Result<> TarWriter::header(std::string_view path, char type, uint64_t size) {
  std::string records;
  if (path.size() > ustar_name_bytes_max) records += pax_record("path", path);
  if (size > octal_size_max) records += pax_record("size", std::to_string(size));
  if (!records.empty()) {
    Block extended = make_header(pax_name, 'x', records.size());
    TRY(put(std::as_bytes(std::span(extended))));
    TRY(put(std::as_bytes(std::span(records))));
    TRY(pad(records.size()));
  }
  Block block = make_header(path, type, size);
  return put(std::as_bytes(std::span(block)));
}

Result<> TarWriter::directory(std::string_view path) { return header(path, '5', 0); }

Result<> TarWriter::file(std::string_view path, std::string_view content) {
  TRY(begin_file(path, content.size()));
  TRY(write(std::as_bytes(std::span(content))));
  return end_file();
}

Result<> TarWriter::begin_file(std::string_view path, uint64_t size) {
  CHECK(left_ == 0);
  file_bytes_ = left_ = size;
  return header(path, '0', size);
}

Result<> TarWriter::write(std::span<const std::byte> data) {
  if (data.size() > left_) return fail(EIO, "more bytes than the archive has room for");
  left_ -= data.size();
  return put(data);
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
