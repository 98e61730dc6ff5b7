// SPDX-License-Identifier: Apache-2.0
#include "store/import_objects.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace lyr::store {
namespace {

constexpr size_t recent_max = 1024;
constexpr size_t window_records = 1024;

uint64_t hash_of(const ObjectId& object) {
  uint64_t hash = 0;
  std::memcpy(&hash, object.sha256.bytes.data(), sizeof hash);
  return hash;
}

}  // namespace

ImportObjects::ImportObjects(const Fd& directory) : records_(directory), recent_(recent_max) {
  static_assert(sizeof(Record) == 64 && std::is_trivially_copyable_v<Record>);
}

ImportObject ImportObjects::object_of(uint32_t number, const Record& record) {
  ImportObject found{.number = number, .place = std::nullopt};
  if (record.place.offset != 0) found.place = record.place;
  return found;
}

Result<> ImportObjects::read(uint32_t first, std::span<Record> records) const {
  auto bytes = std::as_writable_bytes(records);
  return about(records_.read(uint64_t{first} * sizeof(Record), bytes), "the import's objects");
}

Result<std::optional<ImportObject>> ImportObjects::find(const ObjectId& object) {
  std::scoped_lock lock(mutex_);
  uint64_t hash = hash_of(object);
  Recent& recent = recent_[hash >> 32 & (recent_max - 1)];
  if (recent.number != UINT32_MAX && recent.record.object == object) {
    return object_of(recent.number, recent.record);
  }
  Result<> outcome;
  Record record;
  auto found = index_.find(hash, [&](uint32_t number) {
    if (outcome) outcome = read(number, std::span(&record, 1));
    return !outcome || record.object == object;
  });
  TRY(std::move(outcome));
  if (!found) return std::nullopt;
  recent = {*found, record};
  return object_of(*found, record);
}

Result<ImportObject> ImportObjects::add(const ObjectId& object, const std::optional<Place>& place) {
  std::scoped_lock lock(mutex_);
  if (count_ == UINT32_MAX) return fail(EFBIG, "import");
  Record record{object, place.value_or(Place{})};
  auto bytes = std::as_bytes(std::span(&record, 1));
  TRY(about(records_.append(bytes), "the import's objects"));
  uint64_t hash = hash_of(object);
  index_.insert(hash, count_);
  recent_[hash >> 32 & (recent_max - 1)] = {count_, record};
  if (place) ++written_;
  return object_of(count_++, record);
}

size_t ImportObjects::written() const {
  std::scoped_lock lock(mutex_);
  return written_;
}

TreeObjects ImportObjects::for_tree() {
  struct Window {
    std::vector<Record> records;
    uint32_t first = 0;
  };
  auto window = std::make_shared<Window>();
  std::scoped_lock lock(mutex_);
  auto id = [this, window](uint32_t number) -> Result<ObjectId> {
    if (number - window->first >= window->records.size()) {
      std::scoped_lock reading(mutex_);
      CHECK(number < count_);
      window->records.resize(std::min<size_t>(window_records, count_ - number));
      window->first = number;
      auto got = read(number, window->records);
      if (!got) {
        window->records.clear();
        return std::unexpected(std::move(got).error());
      }
    }
    return window->records[number - window->first].object;
  };
  return {.count = count_, .id = id};
}

}  // namespace lyr::store
