// SPDX-License-Identifier: Apache-2.0
// Tars made block by block for tests, right or wrong as the test wants them.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lyr::image {

struct RawHeader {
  std::string name = "file";
  char type = '0';
  uint64_t size = 0;
  std::string link = "";
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
  std::string prefix = "";
  std::string size_field = "";  // as it is, instead of `size`
  std::string uid_field = "";
  std::string major_field = "";
  bool bad_checksum = false;
};

inline std::string octal(uint64_t value, size_t width) {
  std::string text(width, '0');
  for (size_t i = width; i > 0 && value > 0; --i, value >>= 3) {
    text[i - 1] = static_cast<char>('0' + (value & 7));
  }
  return text;
}

inline void seal(std::string& block) {
  block.replace(148, 8, 8, ' ');
  uint64_t sum = 0;
  for (char c : block.substr(0, 512)) sum += static_cast<uint8_t>(c);
  block.replace(148, 8, octal(sum, 6) + std::string("\0 ", 2));
}

inline std::string header(const RawHeader& h) {
  std::string block(512, '\0');
  auto put = [&](size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, h.name.substr(0, 100));
  put(100, "0000644");
  put(108, h.uid_field.empty() ? "0000000" : h.uid_field);
  put(116, "0000000");
  put(124, h.size_field.empty() ? octal(h.size, 11) : h.size_field);
  put(136, "00000000000");
  block[156] = h.type;
  put(157, h.link.substr(0, 100));
  put(257, h.magic);
  if (!h.major_field.empty()) put(329, h.major_field);
  put(345, h.prefix);
  seal(block);
  if (h.bad_checksum) block[148] = block[148] == '0' ? '1' : '0';
  return block;
}

inline std::string padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512, '\0');
  return content;
}

inline std::string pax_record(const std::string& key, const std::string& value) {
  size_t length = key.size() + value.size() + 3;
  size_t digits = std::to_string(length).size();
  if (std::to_string(length + digits).size() > digits) ++digits;
  return std::to_string(length + digits) + " " + key + "=" + value + "\n";
}

inline std::string extension(char type, const std::string& content) {
  return header({.name = "extension", .type = type, .size = content.size()}) + padded(content);
}

inline std::string file(const std::string& name, const std::string& content) {
  return header({.name = name, .size = content.size()}) + padded(content);
}

inline std::string end_of_tar() { return std::string(1024, '\0'); }

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace lyr::image
