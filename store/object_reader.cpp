// SPDX-License-Identifier: Apache-2.0
#include "store/object_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/sys_file.h"

namespace lyr::store {
namespace {

constexpr size_t located_max = 32768;  // a shard's entries; about 150 bytes each
constexpr size_t open_packs_max = 64;

bool same_object(const FrameHeader& header, const ObjectId& object) {
  return std::memcmp(header.sha256, object.sha256.bytes.data(), sizeof header.sha256) == 0;
}

}  // namespace

Result<std::shared_ptr<const PackReader>> ObjectReader::pack(PackNumber number) {
  std::scoped_lock lock(packs_mutex_);
  auto found = open_packs_.find(number);
  if (found != open_packs_.end()) return found->second;
  // Its length as it is now: a frame's own checksum says whether it is whole.
  auto status = TRY(sys::stat_at(packs_, pack_name(number).c_str()));
  auto opened = TRY(PackReader::open(packs_, number, static_cast<uint64_t>(status.st_size)));
  auto shared = std::make_shared<const PackReader>(std::move(opened));
  if (open_packs_.size() >= open_packs_max) {
    open_packs_.erase(recent_packs_.back());
    recent_packs_.pop_back();
  }
  open_packs_.emplace(number, shared);
  recent_packs_.push_front(number);
  return shared;
}

std::optional<Located> ObjectReader::search(const ObjectId& object) {
  std::optional<Located> located;
  index_.find(object, [&](const Place& place) {
    auto reader = pack(place.pack);
    if (!reader) return false;  // a pack that is gone: the entry is stale
    auto header = (*reader)->header(place.offset);
    if (!header || !same_object(*header, object)) return false;
    located = Located{std::move(*reader), place.offset, *header, false};
    return true;
  });
  return located;
}

Result<Located> ObjectReader::locate(const ObjectId& object) {
  Shard& part = shard(object);
  {
    std::scoped_lock lock(part.mutex);
    auto found = part.located.find(object);
    if (found != part.located.end()) return found->second;
  }
  auto located = search(object);
  if (!located) {
    bool more = TRY(catch_up());
    if (more) located = search(object);
  }
  if (!located) return fail(ENOENT, "object", object.sha256.text());
  std::scoped_lock lock(part.mutex);
  if (part.located.size() >= located_max) part.located.clear();
  part.located.insert_or_assign(object, *located);
  return std::move(*located);
}

std::optional<Place> ObjectReader::find(const ObjectId& object) {
  std::optional<Place> place;
  index_.find(object, [&](const Place& candidate) {
    auto reader = pack(candidate.pack);
    if (!reader) return false;
    auto header = (*reader)->header(candidate.offset);
    if (!header || !same_object(*header, object)) return false;
    place = candidate;
    return true;
  });
  return place;
}

Result<size_t> ObjectReader::read(const ObjectId& object, uint64_t offset,
                                  std::span<std::byte> data) {
  Located located = TRY(locate(object));
  uint64_t size = located.header.raw_bytes;
  if (offset >= size) return size_t{0};
  data = data.first(std::min<uint64_t>(data.size(), size - offset));
  if (located.verified) {
    TRY(located.pack->read_part(located.offset, offset, data));
    return data.size();
  }
  if (data.size() == size) {
    TRY(located.pack->read_frame(located.offset, located.header, data));
  } else {
    std::vector<std::byte> whole(size);
    TRY(located.pack->read_frame(located.offset, located.header, whole));
    std::memcpy(data.data(), whole.data() + offset, data.size());
  }
  Shard& part = shard(object);
  std::scoped_lock lock(part.mutex);
  auto found = part.located.find(object);
  if (found != part.located.end() && found->second.offset == located.offset) {
    found->second.verified = true;
  }
  return data.size();
}

Result<bool> ObjectReader::catch_up() {
  uint64_t known = index_.sequence();
  uint64_t current = TRY(catalog_.sequence());
  if (current <= known) return false;
  auto records = TRY(catalog_.packs());
  std::vector<IndexEntry> entries;
  for (const PackRecord& record : records) {
    if (record.sequence <= known) continue;
    auto reader = TRY(PackReader::open(packs_, record.number, record.bytes));
    auto listed = reader.footer();
    if (!listed) listed = reader.scan();
    if (!listed) return std::unexpected(std::move(listed).error());
    for (const PackFooterEntry& entry : *listed) {
      entries.push_back({entry.xxh3_low, entry.xxh3_high, {record.number, entry.offset}});
    }
  }
  TRY(index_.add(entries, current));
  return true;
}

}  // namespace lyr::store
