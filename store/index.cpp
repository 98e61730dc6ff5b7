// SPDX-License-Identifier: Apache-2.0
#include "store/index.h"

#include <sys/file.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/check.h"

namespace lyr::store {
namespace {

constexpr uint64_t index_magic = 0x3158444e4952594c;  // "LYRINDX1"
constexpr char file_name[] = "index.tbl";
constexpr char lock_name[] = "index.lock";

// The index's file lock, for as long as it lives. It keeps processes apart, not threads: whoever
// takes it holds the index's mutex.
class Locked {
 public:
  static Result<Locked> take(const Fd& lock) {
    TRY(sys::flock(lock, LOCK_EX));
    return Locked(lock);
  }
  Locked(Locked&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  Locked& operator=(Locked&&) = delete;
  ~Locked() {
    if (lock_ != nullptr) static_cast<void>(sys::flock(*lock_, LOCK_UN));
  }

 private:
  explicit Locked(const Fd& lock) : lock_(&lock) {}
  const Fd* lock_;
};

// Blocks on disk for the first `bytes` of an empty file. Not every file system can do it at once.
Result<> allocate(const Fd& file, uint64_t bytes) {
  auto allocated = sys::fallocate(file, 0, 0, bytes);
  if (allocated || allocated.error().code != EOPNOTSUPP) return allocated;
  const std::vector<std::byte> zeros(1 << 20);
  for (uint64_t at = 0; at < bytes; at += zeros.size()) {
    auto piece = std::span(zeros).first(std::min<uint64_t>(zeros.size(), bytes - at));
    TRY(sys::pwrite_all(file, piece, at));
  }
  return {};
}

}  // namespace

struct Index::Header {
  uint64_t magic;
  uint32_t slots_log2;
  std::atomic<uint32_t> superseded;  // a larger file stands in this one's place
  std::atomic<uint64_t> used;
  std::atomic<uint64_t> sequence;
  uint64_t reserved[4];
};

struct Index::Slot {
  std::atomic<uint64_t> xxh3_low;
  std::atomic<uint64_t> xxh3_high;
  std::atomic<uint64_t> pack;
  std::atomic<uint64_t> offset;  // 0: empty; written last
};

Index::Header& Index::header() {
  static_assert(sizeof(Header) == 64 && sizeof(Slot) == 32);
  return *reinterpret_cast<Header*>(mapping_.mutable_bytes().data());
}

std::span<Index::Slot> Index::slots() {
  auto* first = reinterpret_cast<Slot*>(mapping_.mutable_bytes().data() + sizeof(Header));
  return {first, size_t{1} << header().slots_log2};
}

Result<std::unique_ptr<Index>> Index::open(const Fd& directory) {
  Fd own = TRY(sys::dup(directory));
  Fd lock = TRY(sys::open_at(directory, lock_name, O_RDWR | O_CREAT, 0600));
  std::unique_ptr<Index> index(new Index(std::move(own), std::move(lock)));
  if (index->map()) return index;
  auto locked = TRY(Locked::take(index->lock_));
  if (!index->map()) {  // nor did anyone else make it meanwhile
    TRY(index->make(index_slots_log2_min));
    TRY(index->map());
  }
  return index;
}

Result<> Index::map() {
  Fd file = TRY(sys::open_at(directory_, file_name, O_RDWR));
  auto status = TRY(sys::stat(file));
  auto size = static_cast<size_t>(status.st_size);
  if (size < sizeof(Header)) return fail(EUCLEAN, "index");
  auto mapping = TRY(sys::Mapping::shared(file, size));
  const auto* header = reinterpret_cast<const Header*>(mapping.bytes().data());
  uint32_t log2 = header->slots_log2;
  bool overfull = log2 <= index_slots_log2_max && header->used.load() > uint64_t{1} << log2;
  if (header->magic != index_magic || overfull || log2 < index_slots_log2_min ||
      log2 > index_slots_log2_max || size != sizeof(Header) + (sizeof(Slot) << log2)) {
    return fail(EUCLEAN, "index");
  }
  mapping_ = std::move(mapping);
  return {};
}

// Writes an empty table in place of what is there. All of it is allocated: a mapped page that the
// disk has no room for would be a SIGBUS.
Result<> Index::make(uint32_t slots_log2) {
  std::string fresh = std::string(file_name) + ".new";
  static_cast<void>(sys::unlink_at(directory_, fresh.c_str()));
  Fd file = TRY(sys::open_at(directory_, fresh.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  auto allocated = allocate(file, sizeof(Header) + (sizeof(Slot) << slots_log2));
  if (!allocated) {
    static_cast<void>(sys::unlink_at(directory_, fresh.c_str()));
    return about(std::move(allocated), file_name);
  }
  Header header{};
  header.magic = index_magic;
  header.slots_log2 = slots_log2;
  TRY(sys::pwrite_all(file, std::as_bytes(std::span(&header, 1)), 0));
  return sys::rename_at(directory_, fresh.c_str(), directory_, file_name);
}

void Index::follow() {
  {
    std::shared_lock reading(mutex_);
    if (header().superseded.load(std::memory_order_acquire) == 0) return;
  }
  std::unique_lock writing(mutex_);
  follow_held();
}

void Index::follow_held() {
  if (header().superseded.load(std::memory_order_acquire) == 0) return;
  static_cast<void>(map());  // on failure the old table serves on: it only misses what is new
}

uint64_t Index::sequence() {
  follow();
  std::shared_lock reading(mutex_);
  return header().sequence.load(std::memory_order_acquire);
}

void Index::find(const ObjectId& object, const std::function<bool(const Place&)>& each) {
  follow();
  std::shared_lock reading(mutex_);
  auto table = slots();
  size_t mask = table.size() - 1;
  size_t at = object.xxh3_low & mask;
  for (size_t probes = 0; probes < table.size(); ++probes, at = (at + 1) & mask) {
    Slot& slot = table[at];
    uint64_t offset = slot.offset.load(std::memory_order_acquire);
    if (offset == 0) return;
    if (slot.xxh3_low != object.xxh3_low || slot.xxh3_high != object.xxh3_high) continue;
    if (each({slot.pack.load(), offset})) return;
  }
}

bool Index::insert(const IndexEntry& entry) {
  CHECK(entry.place.offset != 0);
  auto table = slots();
  size_t mask = table.size() - 1;
  size_t at = entry.xxh3_low & mask;
  for (size_t probes = 0; probes < table.size(); ++probes, at = (at + 1) & mask) {
    Slot& slot = table[at];
    if (slot.offset == 0) {
      slot.xxh3_low = entry.xxh3_low;
      slot.xxh3_high = entry.xxh3_high;
      slot.pack = entry.place.pack;
      slot.offset.store(entry.place.offset, std::memory_order_release);
      header().used.fetch_add(1);
      return true;
    }
    if (slot.xxh3_low == entry.xxh3_low && slot.xxh3_high == entry.xxh3_high &&
        slot.pack == entry.place.pack && slot.offset == entry.place.offset) {
      return true;
    }
  }
  return false;  // full, though `used` said otherwise: damaged
}

namespace {

// At most seven of ten slots are used, so that probes stay short and always end.
Result<uint32_t> slots_log2_for(uint64_t entries) {
  uint32_t log2 = index_slots_log2_min;
  while (entries * 10 > (uint64_t{7} << log2)) {
    if (++log2 > index_slots_log2_max) return fail(EFBIG, "index");
  }
  return log2;
}

}  // namespace

Result<> Index::remake(uint32_t slots_log2, std::span<const IndexEntry> entries,
                       uint64_t sequence) {
  sys::Mapping old = std::move(mapping_);
  mapping_ = {};
  auto made = make(slots_log2);
  if (made) made = map();
  if (!made) {
    mapping_ = std::move(old);
    return made;
  }
  for (const IndexEntry& entry : entries) CHECK(insert(entry));
  header().sequence.store(sequence);
  auto* old_header = reinterpret_cast<Header*>(old.mutable_bytes().data());
  old_header->superseded.store(1, std::memory_order_release);
  return {};
}

Result<> Index::grow(size_t count) {
  uint32_t log2 = TRY(slots_log2_for(header().used.load() + count));
  if (log2 <= header().slots_log2) return {};
  std::vector<IndexEntry> entries;
  for (const Slot& slot : slots()) {
    if (slot.offset != 0) {
      entries.push_back({slot.xxh3_low, slot.xxh3_high, {slot.pack, slot.offset}});
    }
  }
  return remake(log2, entries, header().sequence.load());
}

Result<> Index::reserve(size_t count) {
  std::unique_lock writing(mutex_);
  auto locked = TRY(Locked::take(lock_));
  follow_held();
  return grow(count);
}

Result<> Index::add(std::span<const IndexEntry> entries, uint64_t sequence) {
  std::unique_lock writing(mutex_);
  auto locked = TRY(Locked::take(lock_));
  follow_held();
  TRY(grow(entries.size()));
  for (const IndexEntry& entry : entries) {
    if (!insert(entry)) return fail(EUCLEAN, "index", file_name);
  }
  header().sequence.store(sequence, std::memory_order_release);
  return {};
}

Result<> Index::replace(std::span<const IndexEntry> entries, uint64_t sequence) {
  std::unique_lock writing(mutex_);
  auto locked = TRY(Locked::take(lock_));
  follow_held();
  uint32_t log2 = TRY(slots_log2_for(entries.size()));
  return remake(log2, entries, sequence);
}

}  // namespace lyr::store
