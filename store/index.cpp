// SPDX-License-Identifier: Apache-2.0
#include "store/index.h"

#include <sys/file.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/sys_random.h"

namespace lyr::store {
namespace {

constexpr char table_name[] = "index.tbl";
constexpr char new_name[] = "index.tbl.new";
constexpr char lock_name[] = "index.lock";
constexpr size_t packs_spare = 1024;  // what reserve() has room for: an import of 256 GiB

// The index's file lock, for as long as it lives. It keeps processes apart, not threads: whoever
// takes it holds the index's mutex.
class Locked {
 public:
  static Result<Locked> take(const Fd& lock) {
    TRY(about(sys::flock(lock, LOCK_EX), lock_name));
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

// At most four of five slots are used, so that probes stay short and always end.
uint64_t slots_for(uint64_t entries) {
  constexpr uint64_t page_slots = 4096 / 16;
  uint64_t slots = std::max(entries + entries / 4 + 1, index_slots_min);
  return (slots + page_slots - 1) / page_slots * page_slots;
}

uint64_t packs_for(uint64_t packs) {
  uint64_t room = index_packs_min;
  while (room < packs + packs_spare) room *= 2;
  return room;
}

// False: no room, whatever the header said. Damaged, then.
bool insert_all(IndexTable& table, std::span<const IndexEntry> entries) {
  std::unordered_map<PackNumber, uint32_t> ordinals;
  for (const IndexEntry& entry : entries) {
    auto [found, fresh] = ordinals.try_emplace(entry.place.pack, 0);
    if (fresh) {
      auto ordinal = table.pack_ordinal(entry.place.pack);
      if (!ordinal) return false;
      found->second = *ordinal;
    }
    if (!table.insert(entry.xxh3_low, entry.xxh3_high, found->second, entry.place.offset)) {
      return false;
    }
  }
  return true;
}

size_t packs_in(std::span<const IndexEntry> entries) {
  size_t packs = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i == 0 || entries[i].place.pack != entries[i - 1].place.pack) ++packs;
  }
  return packs;
}

}  // namespace

Result<std::unique_ptr<Index>> Index::open(const Fd& directory) {
  Fd own = TRY(sys::dup(directory));
  Fd lock = TRY(about(sys::open_at(directory, lock_name, O_RDWR | O_CREAT, 0600), lock_name));
  std::unique_ptr<Index> index(new Index(std::move(own), std::move(lock)));
  bool present = TRY(index->open_table());
  if (present && !index->current_.table->is_superseded()) return index;
  auto locked = TRY(Locked::take(index->lock_));
  present = TRY(index->open_table());  // perhaps made by someone meanwhile
  if (present) {
    TRY(index->named_table());
    return index;
  }
  uint64_t seed = TRY(sys::random_u64());
  IndexShape shape{.slots = index_slots_min, .packs_max = index_packs_min};
  auto made = TRY(about(IndexTable::make(directory, new_name, shape, seed), table_name));
  TRY(index->publish(std::move(made), nullptr));
  return index;
}

// False: there is none, or it is none of ours. One that only cannot be opened now is not to be
// replaced: others have it mapped, and would not see a collection's epoch.
Result<bool> Index::open_table() {
  auto table = IndexTable::open(directory_, table_name);
  if (table) {
    set_table(std::move(*table));
    return true;
  }
  int code = table.error().code;
  if (code == ENOENT || code == EUCLEAN) return false;
  return about(Result<bool>(std::unexpected(std::move(table).error())), table_name);
}

Index::Current Index::set_table(IndexTable table) {
  auto shared = std::make_shared<IndexTable>(std::move(table));
  std::unique_lock lock(mutex_);
  current_ = {.table = std::move(shared), .number = current_.number + 1};
  return current_;
}

uint64_t Index::epoch() {
  auto now = current();
  return (now.number << 32) + now.table->epoch();
}

Result<> Index::advance_epoch() {
  std::scoped_lock writing(writing_);
  auto locked = TRY(Locked::take(lock_));
  auto now = TRY(named_table());
  now->advance_epoch();
  return {};
}

Index::Current Index::current() {
  Current now;
  {
    std::shared_lock lock(mutex_);
    now = current_;
  }
  if (!now.table->is_superseded()) return now;
  auto newer = IndexTable::open(directory_, table_name);
  if (newer) return set_table(std::move(*newer));
  // The old table serves on. It misses what is new, collections too: so whatever is remembered is
  // of an epoch before this one.
  std::unique_lock lock(mutex_);
  ++current_.number;
  return current_;
}

// Whoever holds the lock knows that nobody is about to replace the table: what says so was killed.
Result<std::shared_ptr<IndexTable>> Index::named_table() {
  std::shared_ptr<IndexTable> now;
  {
    std::shared_lock lock(mutex_);
    now = current_.table;
  }
  if (!now->is_superseded()) return now;
  auto named = IndexTable::open(directory_, table_name);
  if (!named && named.error().code == ENOENT) return fail(EUCLEAN, table_name);
  now = set_table(TRY(about(std::move(named), table_name))).table;
  now->set_superseded(false);
  return now;
}

uint64_t Index::sequence() { return table()->sequence(); }

void Index::find(const ObjectId& object, const std::function<bool(const Place&)>& each) {
  table()->find(object.xxh3_low, object.xxh3_high, each);
}

// Gives a finished table the name. Who has the old one mapped is told before: were it after, and we
// killed between, they would never learn of a collection. Until then they open the old one again.
Result<> Index::publish(IndexTable table, IndexTable* old) {
  if (old != nullptr) old->set_superseded(true);
  auto named = sys::rename_at(directory_, new_name, directory_, table_name);
  if (!named) {
    if (old != nullptr) old->set_superseded(false);
    static_cast<void>(sys::unlink_at(directory_, new_name));
    return about(std::move(named), table_name);
  }
  set_table(std::move(table));
  return {};
}

void Index::remove_unfinished() {
  std::scoped_lock writing(writing_);
  if (!sys::flock(lock_, LOCK_EX | LOCK_NB)) return;  // it is being made
  static_cast<void>(sys::unlink_at(directory_, new_name));
  static_cast<void>(sys::flock(lock_, LOCK_UN));
}

Result<> Index::grow(size_t count, size_t packs) {
  auto now = TRY(named_table());
  IndexShape shape = now->shape();
  bool slots_do = slots_for(now->used() + count) <= shape.slots;
  if (slots_do && now->packs() + packs <= shape.packs_max) return {};
  // By a quarter at least: what grows often is moved seldom.
  if (!slots_do) shape.slots = std::max(slots_for(now->used() + count), slots_for(shape.slots));
  shape.packs_max = std::max(shape.packs_max, packs_for(now->packs() + packs));
  auto larger = TRY(about(IndexTable::make(directory_, new_name, shape, now->seed()), table_name));
  if (!larger.insert_all_of(*now)) return fail(EUCLEAN, "index", table_name);
  larger.set_sequence(now->sequence());
  return publish(std::move(larger), now.get());
}

Result<> Index::reserve(size_t count) {
  std::scoped_lock writing(writing_);
  auto locked = TRY(Locked::take(lock_));
  return grow(count, std::min(count, packs_spare));
}

Result<> Index::add(std::span<const IndexEntry> entries, std::optional<uint64_t> sequence) {
  std::scoped_lock writing(writing_);
  auto locked = TRY(Locked::take(lock_));
  TRY(grow(entries.size(), packs_in(entries)));
  auto now = TRY(named_table());
  if (!insert_all(*now, entries)) return fail(EUCLEAN, "index", table_name);
  if (sequence) now->set_sequence(*sequence);
  return {};
}

Result<> Index::replace(std::span<const IndexEntry> entries, uint64_t sequence) {
  std::scoped_lock writing(writing_);
  auto locked = TRY(Locked::take(lock_));
  auto old = named_table();
  // Only what is damaged is replaced unseen: whoever has another one mapped must be told.
  if (!old && old.error().code != EUCLEAN) return std::unexpected(std::move(old).error());
  uint64_t seed = TRY(sys::random_u64());
  IndexShape shape{.slots = slots_for(entries.size() + entries.size() / 4),
                   .packs_max = packs_for(packs_in(entries))};
  auto fresh = TRY(about(IndexTable::make(directory_, new_name, shape, seed), table_name));
  if (!insert_all(fresh, entries)) return fail(EFBIG, "index", table_name);
  fresh.set_sequence(sequence);
  return publish(std::move(fresh), old ? old->get() : nullptr);
}

}  // namespace lyr::store
