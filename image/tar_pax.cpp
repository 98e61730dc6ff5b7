// SPDX-License-Identifier: Apache-2.0
#include "image/tar_pax.h"

#include <algorithm>
#include <array>
#include <limits>

#include "image/tar_header.h"

namespace lyr::image {
namespace {

constexpr size_t xattrs_max = 1024;  // of one entry
constexpr std::string_view schily_xattr = "SCHILY.xattr.";
constexpr std::string_view libarchive_xattr = "LIBARCHIVE.xattr.";
constexpr std::string_view gnu_sparse = "GNU.sparse.";
constexpr std::string_view star_size = "SCHILY.realsize";

struct Record {
  std::string_view key;
  std::string_view value;
};

// "LENGTH KEY=VALUE\n", LENGTH counting all of it. Takes the record off `text`.
Result<Record> take_record(std::string_view& text) {
  size_t space = text.find(' ');
  if (space == std::string_view::npos || space > 10) return bad_tar("a PAX record has no length");
  uint64_t length = TRY(parse_decimal(text.substr(0, space), "a PAX record's length"));
  if (length > text.size() || length < space + 4) return bad_tar("a PAX record's length is wrong");
  std::string_view body = text.substr(space + 1, length - space - 1);
  if (body.back() != '\n') return bad_tar("a PAX record does not end where it says");
  body.remove_suffix(1);
  size_t equals = body.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad_tar("a PAX record has no key");
  text.remove_prefix(length);
  Record record{body.substr(0, equals), body.substr(equals + 1)};
  if (record.key.find('\0') != std::string_view::npos) return bad_tar("a PAX key holds a NUL");
  return record;
}

Result<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (char c : text) {
    uint32_t digit = 0;
    if (c >= 'A' && c <= 'Z') {
      digit = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      digit = static_cast<uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0' + 52);
    } else if (c == '+' || c == '/') {
      digit = c == '+' ? 62 : 63;
    } else {
      return bad_tar("a LIBARCHIVE.xattr value is not base64");
    }
    bits = bits << 6 | digit;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return bytes;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode_url(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      bytes.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    } else {
      bytes.push_back(text[i]);
    }
  }
  return bytes;
}

Result<> add_xattr(PaxRecords& records, std::string name, std::string value, bool replace) {
  if (name.empty() || name.size() > xattr_name_bytes_max || name.find('\0') != std::string::npos) {
    return bad_tar("an xattr's name is empty, too long, or holds a NUL");
  }
  if (value.size() > xattr_value_bytes_max) return bad_tar("xattr " + name + " is too large");
  auto same = std::ranges::find(records.xattrs, name, &std::pair<std::string, std::string>::first);
  if (same != records.xattrs.end()) {
    if (replace) same->second = std::move(value);
    return {};
  }
  if (records.xattrs.size() == xattrs_max) return bad_tar("an entry has too many xattrs");
  records.xattrs.emplace_back(std::move(name), std::move(value));
  return {};
}

Result<std::string> path_value(std::string_view value) {
  if (value.find('\0') != std::string_view::npos) return bad_tar("a PAX path holds a NUL");
  if (value.size() > store::path_bytes_max) return bad_tar("a PAX path is too long");
  return std::string(value);
}

Result<int64_t> id_value(std::string_view value) {
  uint64_t id = TRY(parse_decimal(value, "a PAX uid or gid"));
  return static_cast<int64_t>(id);
}

// Format 0.1: "offset,length,offset,length…".
Result<> read_sparse_map(PaxSparse& sparse, std::string_view value) {
  sparse.segments.clear();
  bool is_length = false;
  while (true) {
    size_t comma = value.find(',');
    uint64_t number = TRY(parse_decimal(value.substr(0, comma), "GNU.sparse.map"));
    if (!is_length) {
      if (sparse.segments.size() == sparse_segments_max) return bad_tar("too many sparse segments");
      sparse.segments.push_back({.offset = number, .length = 0});
    } else {
      sparse.segments.back().length = number;
    }
    is_length = !is_length;
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  if (is_length) return bad_tar("GNU.sparse.map has an offset without a length");
  return {};
}

Result<> read_sparse(PaxSparse& sparse, std::string_view key, std::string_view value) {
  sparse.used = true;
  if (key == "name") {
    sparse.name = TRY(path_value(value));
    return {};
  }
  if (key == "map") return read_sparse_map(sparse, value);
  const bool known = key == "major" || key == "minor" || key == "size" || key == "realsize" ||
                     key == "numblocks" || key == "offset" || key == "numbytes";
  if (!known) return bad_tar("GNU.sparse." + std::string(key.substr(0, 40)) + " is not known");
  uint64_t number = TRY(parse_decimal(value, "a GNU.sparse record"));
  if (key == "major") sparse.major = number;
  if (key == "minor") sparse.minor = number;
  if (key == "size" || key == "realsize") sparse.size = number;
  if (key == "numblocks") sparse.segment_count = number;
  if (key == "offset") {
    if (sparse.pending_offset) return bad_tar("GNU.sparse.offset without a length");
    if (sparse.segments.size() == sparse_segments_max) return bad_tar("too many sparse segments");
    sparse.segments.push_back({.offset = number, .length = 0});
    sparse.pending_offset = true;
  }
  if (key == "numbytes") {
    if (!sparse.pending_offset) return bad_tar("GNU.sparse.numbytes without an offset");
    sparse.segments.back().length = number;
    sparse.pending_offset = false;
  }
  return {};
}

Result<> read_record(PaxRecords& records, const Record& record) {
  auto [key, value] = record;
  if (key.starts_with(schily_xattr)) {
    std::string name(key.substr(schily_xattr.size()));
    return add_xattr(records, std::move(name), std::string(value), true);
  }
  if (key.starts_with(libarchive_xattr)) {
    // bsdtar writes both forms; the other one is exact.
    std::string bytes = TRY(decode_base64(value));
    std::string name = decode_url(key.substr(libarchive_xattr.size()));
    return add_xattr(records, std::move(name), std::move(bytes), false);
  }
  if (key.starts_with(gnu_sparse)) {
    return read_sparse(records.sparse, key.substr(gnu_sparse.size()), value);
  }
  // star's size of a sparse file: libarchive takes it, GNU tar does not.
  if (key == star_size) return bad_tar("SCHILY.realsize is not known");
  // POSIX: an empty value takes back what an earlier record said. In place of a number libarchive
  // takes it for 0, GNU tar for an error, as lyr does.
  const bool empty = value.empty();
  if (key == "path") {
    std::string path = TRY(path_value(value));
    records.path = empty ? std::nullopt : std::optional(std::move(path));
  } else if (key == "linkpath") {
    std::string path = TRY(path_value(value));
    records.link_path = empty ? std::nullopt : std::optional(std::move(path));
  } else if (key == "size") {
    records.size = TRY(parse_decimal(value, "the PAX size"));
  } else if (key == "uid") {
    records.uid = TRY(id_value(value));
  } else if (key == "gid") {
    records.gid = TRY(id_value(value));
  } else if (key == "mtime") {
    records.mtime = TRY(parse_pax_time(value));
  } else if (key == "SCHILY.devmajor") {
    records.device_major = TRY(parse_decimal(value, "SCHILY.devmajor"));
  } else if (key == "SCHILY.devminor") {
    records.device_minor = TRY(parse_decimal(value, "SCHILY.devminor"));
  }
  return {};
}

}  // namespace

Result<uint64_t> parse_decimal(std::string_view text, const char* what) {
  constexpr auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t value = 0;
  if (text.empty()) return bad_tar(std::string(what) + " is empty");
  for (char c : text) {
    if (c < '0' || c > '9') return bad_tar(std::string(what) + " is not a number");
    auto digit = static_cast<uint64_t>(c - '0');
    if (value > (most - digit) / 10) return bad_tar(std::string(what) + " is out of range");
    value = value * 10 + digit;
  }
  return value;
}

Result<PaxTime> parse_pax_time(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  size_t dot = text.find('.');
  uint64_t whole = TRY(parse_decimal(text.substr(0, dot), "a PAX time"));
  PaxTime time{.seconds = static_cast<int64_t>(whole), .nanoseconds = 0};
  if (dot != std::string_view::npos) {
    std::string_view fraction = text.substr(dot + 1);
    uint32_t unit = 100'000'000;
    for (char c : fraction) {
      if (c < '0' || c > '9') return bad_tar("a PAX time is not a number");
      time.nanoseconds += static_cast<uint32_t>(c - '0') * unit;
      unit /= 10;
    }
  }
  if (negative) {
    time.seconds = -time.seconds;
    if (time.nanoseconds > 0) {
      time.seconds -= 1;
      time.nanoseconds = 1'000'000'000 - time.nanoseconds;
    }
  }
  return time;
}

Result<PaxRecords> parse_pax(std::string_view text) {
  PaxRecords records;
  if (text.size() > pax_bytes_max) return bad_tar("a PAX header is too large");
  while (!text.empty()) {
    auto record = TRY(take_record(text));
    TRY(read_record(records, record));
  }
  if (records.sparse.pending_offset) return bad_tar("GNU.sparse.offset without a length");
  return records;
}

Result<> check_global_pax(std::string_view text) {
  static constexpr std::array<std::string_view, 6> telling = {"path", "linkpath", "size",
                                                              "uid",  "gid",      "mtime"};
  if (text.size() > pax_bytes_max) return bad_tar("a PAX header is too large");
  while (!text.empty()) {
    auto record = TRY(take_record(text));
    bool changes = std::ranges::find(telling, record.key) != telling.end() ||
                   record.key.starts_with(schily_xattr) ||
                   record.key.starts_with(libarchive_xattr) || record.key.starts_with(gnu_sparse);
    if (changes) {
      return bad_tar("a global PAX header sets " + std::string(record.key.substr(0, 80)) +
                     ", which tools read differently");
    }
  }
  return {};
}

}  // namespace lyr::image
