// SPDX-License-Identifier: Apache-2.0
// Changes tars as tars: a field of a header, a whole block, a record of a PAX header, a name for
// another one. Without it nearly every mutation would end at a header's checksum.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/tar_blocks.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

namespace {

using std::string_view_literals::operator""sv;
constexpr size_t block_bytes = 512;

struct Field {
  size_t offset;
  size_t bytes;
};
constexpr Field fields[] = {{0, 100},  {100, 8},   {108, 8},   {116, 8},  {124, 12},
                            {136, 12}, {156, 1},   {157, 100}, {257, 8},  {329, 8},
                            {337, 8},  {345, 155}, {386, 24},  {482, 13}, {500, 12}};
constexpr Field size_field{124, 12};
constexpr size_t type_offset = 156;
constexpr std::string_view types = "01234567xgLKSVNDMX\0"sv;

constexpr std::string_view names[] = {"a",
                                      "b",
                                      "a/b",
                                      "a/b/c",
                                      "l",
                                      "l/x",
                                      ".",
                                      "./",
                                      "/",
                                      "./a",
                                      "a//b",
                                      "/a/b/",
                                      "a/",
                                      "a/.",
                                      "..",
                                      "a/../b",
                                      "../x",
                                      ".wh.a",
                                      ".wh..wh..opq",
                                      "a/.wh.b",
                                      "a/.wh..wh..opq",
                                      ".wh.",
                                      ".wh..wh.plnk",
                                      ".wh./x",
                                      ".wh..",
                                      ".wh...",
                                      "a/.wh.b/c"};

constexpr std::string_view keys[] = {"path",
                                     "linkpath",
                                     "size",
                                     "uid",
                                     "gid",
                                     "mtime",
                                     "atime",
                                     "comment",
                                     "hdrcharset",
                                     "uname",
                                     "GNU.sparse.major",
                                     "GNU.sparse.minor",
                                     "GNU.sparse.name",
                                     "GNU.sparse.size",
                                     "GNU.sparse.realsize",
                                     "GNU.sparse.numblocks",
                                     "GNU.sparse.offset",
                                     "GNU.sparse.numbytes",
                                     "GNU.sparse.map",
                                     "SCHILY.xattr.user.a",
                                     "SCHILY.xattr.trusted.overlay.opaque",
                                     "LIBARCHIVE.xattr.user.a",
                                     "SCHILY.acl.access",
                                     "SCHILY.devmajor",
                                     "SCHILY.realsize",
                                     "SCHILY.fflags",
                                     "RHT.security.selinux"};

constexpr std::string_view values[] = {
    "",           "0",          "1",          "2",  "8",    "512",   "513", "1000",
    "4294967294", "4294967295", "8589934592", "-1", "1.5",  "-1.25", "0,1", "0,5,512,3",
    "a",          "a/b",        "../x",       "/a", "YQ==", "BINARY"};

class Mutator {
 public:
  Mutator(std::span<uint8_t> room, size_t size, unsigned seed)
      : room_(room), size_(size), random_(seed) {}

  size_t run() {
    for (size_t i = 1 + below(3); i > 0; --i) step();
    put_right();
    return size_;
  }

 private:
  size_t below(size_t count) { return random_() % count; }
  size_t blocks() const { return size_ / block_bytes; }
  uint8_t* block(size_t index) { return room_.data() + index * block_bytes; }
  bool is_header(size_t index) { return std::memcmp(block(index) + 257, "ustar", 5) == 0; }

  // A header, if one is found soon.
  uint8_t* some_header() {
    for (int tries = 0; tries < 8; ++tries) {
      size_t index = below(blocks());
      if (is_header(index)) return block(index);
    }
    return block(below(blocks()));
  }

  void step() {
    if (blocks() == 0 || below(8) == 0) {
      size_ = LLVMFuzzerMutate(room_.data(), size_, room_.size());
      return;
    }
    switch (below(10)) {
      case 0:
      case 1:
        return change_field();
      case 8:
      case 9:
        return change_content();
      case 2:
        some_header()[type_offset] = static_cast<uint8_t>(types[below(types.size())]);
        return;
      case 3:
        return change_name();
      case 4:
        return copy_blocks();
      case 5:
        return drop_blocks();
      case 6:
        return insert_pax();
      default:
        return change_size();
    }
  }

  void change_field() {
    Field field = fields[below(std::size(fields))];
    LLVMFuzzerMutate(some_header() + field.offset, field.bytes, field.bytes);
  }

  // What stands in a block, up to its padding; JSON stays JSON when it only gets shorter.
  void change_content() {
    uint8_t* content = block(below(blocks()));
    if (std::memcmp(content + 257, "ustar", 5) == 0) return;
    size_t used = block_bytes;
    while (used > 0 && content[used - 1] == 0) --used;
    if (used == 0) return;
    size_t now = LLVMFuzzerMutate(content, used, used);
    std::memset(content + now, ' ', used - now);
  }

  void change_name() {
    std::string_view name = names[below(std::size(names))];
    uint8_t* field = some_header() + (below(3) == 0 ? 157 : 0);
    std::memset(field, 0, 100);
    std::memcpy(field, name.data(), name.size());
  }

  void change_size() {
    constexpr uint32_t sizes[] = {0, 1, 5, 511, 512, 513, 1024, 2048, 077777777};
    write_size(some_header(), sizes[below(std::size(sizes))]);
  }

  static void write_size(uint8_t* header, uint32_t size) {
    for (size_t i = 0; i < size_field.bytes - 1; ++i) {
      header[size_field.offset + size_field.bytes - 2 - i] = static_cast<uint8_t>('0' + (size & 7));
      size >>= 3;
    }
    header[size_field.offset + size_field.bytes - 1] = 0;
  }

  void insert(size_t at, const std::vector<uint8_t>& what) {
    if (size_ + what.size() > room_.size()) return;
    uint8_t* place = block(at);
    std::memmove(place + what.size(), place, size_ - at * block_bytes);
    std::copy(what.begin(), what.end(), place);
    size_ += what.size();
  }

  void copy_blocks() {
    size_t from = below(blocks());
    size_t count = 1 + below(std::min<size_t>(3, blocks() - from));
    insert(below(blocks() + 1), {block(from), block(from) + count * block_bytes});
  }

  void drop_blocks() {
    size_t at = below(blocks());
    size_t count = 1 + below(std::min<size_t>(2, blocks() - at));
    uint8_t* end = block(at) + count * block_bytes;
    std::memmove(block(at), end, static_cast<size_t>(room_.data() + size_ - end));
    size_ -= count * block_bytes;
  }

  static std::string record(std::string_view key, std::string_view value) {
    size_t bytes = key.size() + value.size() + 3;
    size_t digits = std::to_string(bytes).size();
    if (std::to_string(bytes + digits).size() > digits) ++digits;
    return std::to_string(bytes + digits) + " " + std::string(key) + "=" + std::string(value) +
           "\n";
  }

  void insert_pax() {
    std::string records;
    for (size_t i = 1 + below(3); i > 0; --i) {
      records += record(keys[below(std::size(keys))], values[below(std::size(values))]);
    }
    std::vector<uint8_t> extension(2 * block_bytes);
    std::memcpy(extension.data(), some_header(), block_bytes);
    extension[type_offset] = below(6) == 0 ? 'g' : 'x';
    write_size(extension.data(), static_cast<uint32_t>(records.size()));
    std::copy(records.begin(), records.end(), extension.begin() + block_bytes);
    insert(below(blocks() + 1), extension);
  }

  void put_right() {
    if (below(16) == 0) return;
    lyr::fuzz::put_checksums_right(std::as_writable_bytes(room_.first(size_)));
  }

  std::span<uint8_t> room_;
  size_t size_;
  std::minstd_rand random_;
};

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  return Mutator({data, size_max}, size, seed).run();
}
