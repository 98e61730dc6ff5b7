// SPDX-License-Identifier: Apache-2.0
#include "store/object_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/sys_file.h"

namespace lyr::store {
namespace {

thread_local PackNumber last_pack = 0;  // see each_place()
constexpr size_t located_max = 8192;    // a shard's entries; about 100 bytes each

bool same_object(const FrameHeader& header, const ObjectId& object) {
  return std::memcmp(header.sha256, object.sha256.bytes.data(), sizeof header.sha256) == 0;
}

// Not the pack's fault: an index without it would be believed from then on.
bool is_ours(const Error& error) {
  return error.code == EMFILE || error.code == ENFILE || error.code == ENOMEM;
}

}  // namespace

ObjectBuffer& ObjectReader::this_threads_buffer() {
  thread_local ObjectBuffer buffer = make_object_buffer();
  return buffer;
}

std::optional<Located> ObjectReader::known(const ObjectId& object) {
  Shard& part = shard(object);
  std::scoped_lock lock(part.mutex);
  auto found = part.located.find(object);
  if (found == part.located.end()) return std::nullopt;
  return found->second;
}

void ObjectReader::remember(const ObjectId& object, const Located& located) {
  Shard& part = shard(object);
  std::scoped_lock lock(part.mutex);
  if (part.located.size() >= located_max) part.located.clear();
  part.located.insert_or_assign(object, located);
}

void ObjectReader::forget(const ObjectId& object) {
  Shard& part = shard(object);
  std::scoped_lock lock(part.mutex);
  part.located.erase(object);
}

void ObjectReader::came_to(const Place& place) { last_pack = place.pack; }

void ObjectReader::each_place(const ObjectId& object,
                              const std::function<bool(const Place&)>& each) {
  PackNumber near = last_pack;
  bool done = false;
  auto in_near = [&](const Place& place) { return done = place.pack == near && each(place); };
  index_.find(object, in_near);
  if (done) return;
  index_.find(object, [&](const Place& place) { return place.pack != near && each(place); });
}

Result<ObjectReader::Frame> ObjectReader::open_frame(const Place& place) {
  Frame frame;
  frame.pack = TRY(packs_.open(place.pack));
  auto header = frame.pack->header(place.offset);
  if (!header) {  // perhaps written since the pack was opened
    frame.pack = TRY(packs_.reopen(place.pack));
    header = frame.pack->header(place.offset);
  }
  frame.header = TRY(std::move(header));
  return frame;
}

Result<> ObjectReader::read_frame(const Place& place, const ObjectId& object,
                                  std::span<std::byte> data) {
  Frame frame = TRY(open_frame(place));
  if (!same_object(frame.header, object) || frame.header.raw_bytes != data.size()) {
    return fail(EIO, "frame of another object", object.sha256.text());
  }
  return frame.pack->read_object(place.offset, frame.header, data);
}

std::optional<Located> ObjectReader::search(const ObjectId& object, uint64_t epoch,
                                            std::span<std::byte> whole, Error& damage) {
  std::optional<Located> located;
  each_place(object, [&](const Place& place) {
    auto dropped = dropped_.contains(place, epoch);
    if (!dropped) {
      damage = std::move(dropped).error();
      return false;
    }
    if (*dropped) return false;
    auto frame = open_frame(place);
    if (!frame) {
      // A pack that is gone: the entry is stale.
      if (frame.error().code != ENOENT) damage = std::move(frame).error();
      return false;
    }
    const FrameHeader& header = frame->header;
    if (!same_object(header, object)) return false;
    auto read = frame->pack->read_object(place.offset, header, whole.first(header.raw_bytes));
    if (!read) {
      damage = std::move(read).error();
      return false;
    }
    bool compressed = header.codec != codec_none;
    came_to(place);
    located = Located{
        .place = place, .bytes = header.raw_bytes, .compressed = compressed, .epoch = epoch};
    return true;
  });
  return located;
}

Result<Located> ObjectReader::locate(const ObjectId& object, std::span<std::byte> whole) {
  uint64_t epoch = index_.epoch();
  Error damage{EIO, "object missing", nullptr};
  auto located = search(object, epoch, whole, damage);
  if (!located) {
    bool more = TRY(catch_up());
    if (more) located = search(object, epoch, whole, damage);
  }
  if (!located) {  // the index may have lost it
    bool more = TRY(index_all());
    if (more) located = search(object, epoch, whole, damage);
  }
  if (!located) return about(Result<Located>(Failure(std::move(damage))), object.sha256.text());
  remember(object, *located);
  return *located;
}

std::optional<Place> ObjectReader::find_same(const ObjectId& object,
                                             std::span<const std::byte> data,
                                             const std::function<bool(const Place&)>& may_use) {
  std::vector<std::byte> stored;
  std::optional<Place> same;
  index_.find(object, [&](const Place& place) {
    if (!may_use(place)) return false;
    auto frame = open_frame(place);
    if (!frame || !same_object(frame->header, object)) return false;
    if (frame->header.raw_bytes != data.size()) return false;
    stored.resize(data.size());
    auto read = frame->pack->read_object(place.offset, frame->header, stored);
    if (!read || !std::ranges::equal(stored, data)) return false;
    same = place;
    return true;
  });
  return same;
}

// Of a compressed object all has to be decompressed, whatever part of it is wanted; who reads one
// part often reads the next one soon.
Result<size_t> ObjectReader::read_compressed(const ObjectId& object, const Located& located,
                                             uint64_t offset, std::span<std::byte> data) {
  if (unpacked_.read(object, offset, data)) return data.size();
  ObjectBuffer& whole = this_threads_buffer();
  TRY(read_frame(located.place, object, {whole.get(), located.bytes}));
  std::memcpy(data.data(), whole.get() + offset, data.size());
  if (data.size() < located.bytes) whole = unpacked_.keep(object, std::move(whole));
  return data.size();
}

Result<size_t> ObjectReader::read_located(const ObjectId& object, const Located& located,
                                          uint64_t offset, std::span<std::byte> data) {
  came_to(located.place);
  if (offset >= located.bytes) return size_t{0};
  data = data.first(std::min<uint64_t>(data.size(), located.bytes - offset));
  if (located.compressed) return read_compressed(object, located, offset, data);
  auto pack = TRY(packs_.open(located.place.pack));
  TRY(pack->read_part(located.place.offset, offset, data));
  return data.size();
}

Result<size_t> ObjectReader::read(const ObjectId& object, uint64_t offset,
                                  std::span<std::byte> data) {
  if (auto located = known(object)) {
    auto got = read_located(object, *located, offset, data);
    // A frame is punched out only after the epoch has changed: what was read before is good.
    if (got && index_.epoch() == located->epoch) return got;
    forget(object);  // the pack is gone or unreadable: perhaps there is another copy
  }
  // The frame is checked as a whole, so it is read as a whole.
  ObjectBuffer& whole = this_threads_buffer();
  Located located = TRY(locate(object, {whole.get(), object_bytes_max}));
  if (offset >= located.bytes) return size_t{0};
  data = data.first(std::min<uint64_t>(data.size(), located.bytes - offset));
  std::memcpy(data.data(), whole.get() + offset, data.size());
  if (located.compressed && data.size() < located.bytes) {
    whole = unpacked_.keep(object, std::move(whole));
  }
  return data.size();
}

Result<> ObjectReader::entries_since(uint64_t sequence, const EntrySink& each) {
  auto records = TRY(catalog_.packs());
  std::vector<IndexEntry> entries;
  for (const PackRecord& record : records) {
    if (record.sequence <= sequence) continue;
    auto reader = PackReader::open(packs_.directory(), record.number, record.bytes);
    if (!reader && is_ours(reader.error())) return std::unexpected(std::move(reader).error());
    if (!reader) continue;  // its objects are lost, all others need not be
    auto dropped = TRY(catalog_.dropped(record.number));
    bool given = false;
    auto give = [&](std::span<const PackFooterEntry> some) -> Result<> {
      given = true;
      entries.clear();
      for (const PackFooterEntry& entry : some) {
        if (dropped.contains(entry.offset)) continue;
        entries.push_back({entry.xxh3_low, entry.xxh3_high, {record.number, entry.offset}});
      }
      return each(entries);
    };
    auto listed = reader->each_of_footer(give);
    if (listed) continue;
    if (given) return listed;
    auto scanned = reader->scan();
    if (scanned) TRY(give(*scanned));
  }
  return {};
}

Result<> ObjectReader::index_anew(uint64_t current) {
  std::vector<IndexEntry> entries;
  TRY(entries_since(0, [&](std::span<const IndexEntry> some) -> Result<> {
    entries.insert(entries.end(), some.begin(), some.end());
    return {};
  }));
  TRY(index_.replace(entries, current));
  indexed_all_at_ = current;
  return {};
}

Result<bool> ObjectReader::catch_up() {
  std::scoped_lock lock(indexing_);
  uint64_t known_sequence = index_.sequence();
  uint64_t current = TRY(catalog_.sequence());
  if (current == known_sequence) return false;
  Result<> added = fail(EUCLEAN, "index");  // one that knows more is another catalogue's
  if (known_sequence < current) {
    auto add = [&](std::span<const IndexEntry> some) { return index_.add(some, std::nullopt); };
    added = entries_since(known_sequence, add);
    if (added) added = index_.add({}, current);
  }
  if (!added && added.error().code == EUCLEAN) added = index_anew(current);
  TRY(std::move(added));
  return true;
}

Result<> ObjectReader::reindex() {
  std::scoped_lock lock(indexing_);
  uint64_t current = TRY(catalog_.sequence());
  return index_anew(current);
}

Result<bool> ObjectReader::index_all() {
  std::scoped_lock lock(indexing_);
  uint64_t current = TRY(catalog_.sequence());
  if (indexed_all_at_ == current) return false;
  TRY(index_anew(current));
  return true;
}

}  // namespace lyr::store
