// SPDX-License-Identifier: Apache-2.0
// Any bytes give a layer or an error, the same one however the stream is cut. What is taken comes
// back byte for byte, its entries are those that libarchive sees, and its tree is the one that a
// plain reading of the specification makes of them. Headers' checksums are put right, too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/layer_model.h"
#include "fuzz/libarchive_reader.h"
#include "fuzz/scratch_store.h"
#include "fuzz/seen_entry.h"
#include "fuzz/stored_layer.h"
#include "fuzz/tar_blocks.h"
#include "image/tar_reader.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr char letters[] = {'f', 'h', 'l', 'c', 'b', 'd', 'p'};  // by TarType

struct Seen {
  std::string stream;
  std::vector<fuzz::SeenEntry> entries;
};

void append(std::string& to, std::span<const std::byte> data) {
  to.append(reinterpret_cast<const char*>(data.data()), data.size());
}

fuzz::SeenEntry seen_of(const TarEntry& entry) {
  CHECK(!entry.path.empty() && entry.path.find('\0') == std::string::npos);
  CHECK(entry.link_target.find('\0') == std::string::npos);
  CHECK(entry.size <= file_bytes_max);
  fuzz::SeenEntry seen;
  seen.type = letters[static_cast<size_t>(entry.type)];
  seen.path = entry.path;
  seen.link_target = entry.link_target;
  seen.mode = entry.attr.mode;
  seen.uid = entry.attr.uid;
  seen.gid = entry.attr.gid;
  seen.mtime_seconds = entry.attr.mtime_seconds;
  seen.mtime_nanoseconds = entry.attr.mtime_nanoseconds;
  seen.device_major = entry.device_major;
  seen.device_minor = entry.device_minor;
  seen.size = entry.size;
  for (const auto& [name, value] : entry.attr.xattrs) {
    CHECK(seen.xattrs.emplace(name, value).second);
  }
  return seen;
}

// The stored content, where the segments say it stands.
void add_content(fuzz::SeenEntry& seen, const TarEntry& entry, std::string stored) {
  CHECK(stored.size() == entry.stored_bytes);
  if (!entry.sparse) {
    CHECK(stored.size() == entry.size);
    seen.content.push_back({0, std::move(stored)});
    return;
  }
  size_t at = 0;
  uint64_t end = 0;
  for (const SparseSegment& segment : entry.segments) {
    CHECK(segment.offset >= end && segment.length <= stored.size() - at);
    seen.content.push_back({segment.offset, stored.substr(at, segment.length)});
    at += segment.length;
    end = segment.offset + segment.length;
    CHECK(end <= entry.size);
  }
  CHECK(at == stored.size());
}

Result<> walk(std::span<const std::byte> tar, size_t piece_bytes, Seen& seen) {
  MemorySource source(tar, piece_bytes);
  TarReader reader(source, [&](std::span<const std::byte> data) -> Result<> {
    append(seen.stream, data);
    return {};
  });
  while (true) {
    size_t start = seen.stream.size();
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) break;
    bool has_acl = seen.stream.find("SCHILY.acl.access", start) != std::string::npos;
    std::string stored;
    while (true) {
      auto piece = TRY(reader.payload());
      if (piece.empty()) break;
      append(stored, piece);
    }
    seen.stream += stored;
    seen.entries.push_back(seen_of(*entry));
    seen.entries.back().has_acl = has_acl;
    add_content(seen.entries.back(), *entry, std::move(stored));
  }
  return reader.finish();
}

void check_same(const std::vector<fuzz::SeenEntry>& ours,
                const std::vector<fuzz::SeenEntry>& others) {
  CHECK(ours.size() == others.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    std::string line = fuzz::line_of(ours[i].path, ours[i]) + ours[i].link_target;
    std::string other = fuzz::line_of(others[i].path, others[i]) + others[i].link_target;
    if (line != other)
      std::fprintf(stderr, "lyr:        %s\nlibarchive: %s\n", line.c_str(), other.c_str());
    CHECK(line == other);
  }
}

bool both_slashes(char left, char right) { return left == '/' && right == '/'; }

// What lyr saw, as libarchive tells the same: these are all the differences there may be.
// - A time before 1970 with a fraction: libarchive adds the fraction to the negative number, where
//   POSIX and GNU tar count it as part of that.
// - An SELinux label: libarchive takes GNU tar's RHT.security.selinux for an xattr; docker and lyr
//   do not.
// - An xattr both as SCHILY.xattr and as LIBARCHIVE.xattr: libarchive gives two of one name, docker
//   and lyr the first of these.
// - A mode beside an ACL: libarchive takes it from the ACL, as much of that as it can read; docker
//   and lyr take the header's.
// - A link whose header has no target, only the long name or PAX header before it: libarchive loses
//   that, and takes a hard link for nothing at all.
// - A prefix that ends in a slash: libarchive puts no second one between it and the name.
void make_alike(fuzz::SeenEntry& ours, fuzz::SeenEntry& theirs) {
  if (ours.mtime_seconds < 0 && ours.mtime_nanoseconds != 0) {
    ours.mtime_seconds += 1;
    ours.mtime_nanoseconds = 1'000'000'000 - ours.mtime_nanoseconds;
  }
  if (!ours.xattrs.contains("security.selinux")) theirs.xattrs.erase("security.selinux");
  for (std::string* path : {&ours.path, &theirs.path}) {
    path->erase(std::ranges::unique(*path, both_slashes).begin(), path->end());
  }
  for (const auto& [name, value] : theirs.more_xattrs) {
    auto mine = ours.xattrs.find(name);
    if (mine != ours.xattrs.end() && mine->second == value) theirs.xattrs[name] = value;
  }
  bool lost = theirs.type == (ours.type == 'h' ? '?' : 'l') && theirs.link_target.empty();
  if (lost && (ours.type == 'h' || ours.type == 'l')) {
    theirs.type = ours.type;
    theirs.link_target = ours.link_target;
  }
  if (ours.has_acl) theirs.mode = ours.mode;
}

void check_libarchive(std::span<const std::byte> tar, std::vector<fuzz::SeenEntry> ours) {
  auto theirs = fuzz::read_by_libarchive(tar);
  if (!theirs) return;
  for (size_t i = 0; i < std::min(ours.size(), theirs->size()); ++i) {
    make_alike(ours[i], (*theirs)[i]);
  }
  check_same(ours, *theirs);
}

void check_lines(const std::map<std::string, std::string>& lines,
                 const std::map<std::string, std::string>& expected) {
  if (lines == expected) return;
  for (const auto& [path, line] : lines) {
    auto other = expected.find(path);
    if (other != expected.end() && other->second == line) continue;
    std::fprintf(stderr, "lyr:   %s\nmodel: %s\n", line.c_str(),
                 other == expected.end() ? "(nothing)" : other->second.c_str());
  }
  CHECK(false);
}

void check_layer(std::span<const std::byte> tar, const std::vector<fuzz::SeenEntry>& entries) {
  static fuzz::ScratchStore scratch;
  fuzz::LayerModel model;
  bool fits = true;
  for (const fuzz::SeenEntry& entry : entries) fits = fits && model.add(entry);
  scratch.fence().run([&] {
    auto layer = fuzz::through_store(scratch.store(), tar);
    scratch.check_empty();
    if (!layer) return fuzz::check_refusal(layer.error());
    auto expected = model.lines();
    CHECK(fits && expected.has_value());
    check_lines(layer->lines, *expected);
    CHECK(std::ranges::equal(std::as_bytes(std::span(layer->tar)), tar));
  });
}

void check(std::span<const std::byte> tar) {
  Seen whole;
  Seen cut;
  auto outcome = walk(tar, SIZE_MAX, whole);
  auto cut_outcome = walk(tar, 509, cut);
  CHECK(outcome.has_value() == cut_outcome.has_value());
  check_same(whole.entries, cut.entries);
  if (!outcome) return;
  CHECK(std::ranges::equal(std::as_bytes(std::span(whole.stream)), tar));
  CHECK(cut.stream == whole.stream);
  check_libarchive(tar, whole.entries);
  check_layer(tar, whole.entries);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto tar = std::as_bytes(std::span(data, size));
  check(tar);
  std::vector<std::byte> right(tar.begin(), tar.end());
  if (fuzz::put_checksums_right(right)) check(right);
  return 0;
}
