// SPDX-License-Identifier: Apache-2.0
// Takes any bytes apart, for targets that make operations of them; at the end there are zeros.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

namespace lyr::fuzz {

class Bytes {
 public:
  explicit Bytes(std::string_view data) : rest_(data) {}
  bool empty() const { return rest_.empty(); }
  uint8_t byte() { return static_cast<uint8_t>(number<uint8_t>()); }
  uint16_t word() { return number<uint16_t>(); }
  // Small, or any.
  uint64_t size() { return byte() % 8 != 0 ? word() : number<uint64_t>(); }
  // As the kernel lets names pass: no slash, no NUL, not empty, not a dot or two.
  std::string name() {
    static constexpr const char* known[] = {"a", "d", "e",     "f",    "h",     "l",
                                            "n", "m", ".wh.a", "deep", "empty", ".wh..wh..opq"};
    uint8_t choice = byte();
    if (choice % 16 < std::size(known)) return known[choice % 16];
    std::string text(rest_.substr(0, choice % 16 == 15 ? 255 : choice / 16));
    rest_.remove_prefix(text.size());
    std::erase_if(text, [](char c) { return c == '/' || c == '\0'; });
    return text.empty() || text == "." || text == ".." ? "x" : text;
  }
  std::string content(size_t most) {
    std::string text(rest_.substr(0, std::min<size_t>(most, byte())));
    rest_.remove_prefix(text.size());
    return text;
  }

 private:
  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, rest_.data(), std::min(sizeof value, rest_.size()));
    rest_.remove_prefix(std::min(sizeof value, rest_.size()));
    return value;
  }
  std::string_view rest_;
};

}  // namespace lyr::fuzz
