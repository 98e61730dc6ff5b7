// SPDX-License-Identifier: Apache-2.0
#include "unionfs/ledger.h"

#include <algorithm>
#include <limits>

#include "base/sys_random.h"

namespace lyr::unionfs {
namespace {

// Addresses only; memory is taken by what is written.
constexpr std::array<size_t, 3> sizes{size_t{16} << 30, size_t{1} << 30, size_t{64} << 20};

uint32_t what_of(const Ledger::Inode& inode) {
  return inode.type >> 12 | (inode.in_upper ? Record::upper_bit : 0U);
}

}  // namespace

Result<Ledger> Ledger::make() {
  for (size_t bytes : sizes) {
    auto memory = sys::Mapping::anonymous(bytes);
    if (!memory) continue;
    Ledger made(std::move(*memory));
    made.head().first_instance = static_cast<uint32_t>(TRY(sys::random_u64()));
    return made;
  }
  return fail(ENOMEM, "mmap");
}

Record& Ledger::record(Row row) {
  return reinterpret_cast<Record*>(memory_.mutable_bytes().data() + sizeof(Head))[row - 1];
}

Ledger::Open* Ledger::open_of(Row row) {
  if (row == 0 || !has(row)) return nullptr;
  size_t records_end = sizeof(Head) + rows_max(memory_.bytes().size()) * sizeof(Record);
  return reinterpret_cast<Open*>(memory_.mutable_bytes().data() + records_end) + (row - 1);
}

std::byte* Ledger::unit(Index index) {
  size_t bytes = memory_.bytes().size();
  size_t rows_end = sizeof(Head) + rows_max(bytes) * (sizeof(Record) + sizeof(Open));
  size_t first = (rows_end + unit_bytes - 1) / unit_bytes;
  return memory_.mutable_bytes().data() + (first + index - 1) * unit_bytes;
}

size_t Ledger::bytes_used() const {
  return head().rows_used * sizeof(Record) + head().units_used * unit_bytes;
}

Ledger::Index Ledger::find_room(size_t bytes) {
  size_t units = (bytes + unit_bytes - 1) / unit_bytes;
  std::vector<Index>& free = free_[units];
  if (!free.empty()) {
    Index index = free.back();
    free.pop_back();
    return index;
  }
  Index used = head().units_used;
  const std::byte* end = memory_.bytes().data() + memory_.bytes().size();
  if (used >= text_bit - units_max - 1 || unit(used + 1) + units * unit_bytes > end) {
    store(head().overflowed, true);
    return 0;
  }
  piece<Text>(used + 1).units = static_cast<uint8_t>(units);
  store(head().units_used, static_cast<Index>(used + units));
  return used + 1;
}

Ledger::Details* Ledger::details_of(Record& record) {
  if (record.details != 0) return &piece<Details>(record.details);
  Index index = find_room(sizeof(Details));
  if (index == 0) return nullptr;
  auto& fresh = piece<Details>(index);
  fresh.held = 0;
  fresh.upper_ino = 0;
  fresh.further = 0;
  store(record.details, index);
  return &fresh;
}

std::optional<uint32_t> Ledger::write_name(const Name& name) {
  if (name.entry != no_entry) return name.entry;
  Index index = find_room(sizeof(Text) + name.text.size());
  if (index == 0) return std::nullopt;
  auto& fresh = piece<Text>(index);
  fresh.bytes = static_cast<uint8_t>(name.text.size());
  std::memcpy(&fresh + 1, name.text.data(), name.text.size());
  return index | text_bit;
}

Ledger::Name Ledger::read_name(Row parent, uint32_t name) const {
  if ((name & text_bit) == 0) return {.parent = parent, .entry = name};
  return {.parent = parent, .text = piece<Text>(name & ~text_bit).get()};
}

bool Ledger::is(uint32_t name, const Name& other) const {
  if ((name & text_bit) == 0) return name == other.entry;
  return other.entry == no_entry && piece<Text>(name & ~text_bit).get() == other.text;
}

void Ledger::add(Row row, const Inode& inode) {
  if (!has(row)) return store(head().overflowed, true);
  Record& fresh = record(row);
  fresh.parent = 0;
  fresh.lookups = 0;
  fresh.details = 0;
  if (head().rows_used < row) store(head().rows_used, row);
  update(row, inode);
}

// That it is in the upper comes last: until then it can be copied there once more.
void Ledger::update(Row row, const Inode& inode) {
  if (!has(row)) return;
  Record& known = record(row);
  known.lower = inode.lower;
  if (inode.in_upper) {
    Details* details = details_of(known);
    if (details == nullptr) return;
    details->ino = inode.ino;
    store(details->upper_ino, inode.upper_ino);
  }
  store(known.what, what_of(inode));
}

void Ledger::add_name(Row row, const Name& name) {
  if (!has(row)) return;
  auto written = write_name(name);
  if (!written) return;
  Record& known = record(row);
  if (known.parent == 0) {
    store(known.name, *written);
    return store(known.parent, name.parent);
  }
  Details* details = details_of(known);
  Index index = details == nullptr ? 0 : find_room(sizeof(Further));
  if (index == 0) return;
  auto& fresh = piece<Further>(index);
  fresh.parent = name.parent;
  fresh.name = *written;
  fresh.next = details->further.load();
  store(details->further, index);
}

void Ledger::drop_name(Row row, const Name& name) {
  if (!has(row)) return;
  Record& known = record(row);
  if (known.parent == name.parent && is(known.name, name)) {
    store(known.parent, Row{0});
    release_name(known.name);
  } else if (known.details != 0) {
    drop_further(known, name);
  }
}

void Ledger::drop_further(Record& of, const Name& name) {
  std::atomic<Index>* leads_to = &piece<Details>(of.details).further;
  while (*leads_to != 0) {
    Index index = *leads_to;
    auto& further = piece<Further>(index);
    if (further.parent == name.parent && is(further.name, name)) {
      store(*leads_to, further.next.load());
      release_name(further.name);
      return release(index);
    }
    leads_to = &further.next;
  }
}

// The pieces that a record leads to, but for the texts of names that it does not have.
template <class Take>
void Ledger::each_piece(const Record& of, Take take) const {
  auto take_name = [&](uint32_t name) {
    if ((name & text_bit) != 0) take(name & ~text_bit);
  };
  if (of.parent != 0) take_name(of.name);
  if (of.details == 0) return;
  for (Index index = piece<Details>(of.details).further; index != 0;) {
    const auto& further = piece<Further>(index);
    Index next = further.next;
    take_name(further.name);
    take(index);
    index = next;
  }
  take(of.details);
}

// The next id comes first: this one is not given again, whatever comes next.
void Ledger::free(Row row) {
  if (!has(row)) return;
  Record& old = record(row);
  if (old.what == 0) return;
  store(old.generation, old.generation + 1);
  store(old.what, uint32_t{0});
  each_piece(old, [this](Index index) { release(index); });
}

// Saturates: what was asked for so often is never forgotten.
void Ledger::count(Row row) {
  if (!has(row)) return;
  std::atomic<uint32_t>& lookups = record(row).lookups;
  if (lookups != std::numeric_limits<uint32_t>::max()) store(lookups, lookups + 1);
}

bool Ledger::uncount(Row row, uint64_t lookups) {
  if (!has(row)) return false;
  std::atomic<uint32_t>& known = record(row).lookups;
  if (known == 0 || known == std::numeric_limits<uint32_t>::max()) return false;
  store(known, static_cast<uint32_t>(known - std::min<uint64_t>(known, lookups)));
  return known == 0;
}

uint32_t Ledger::instance(Row row) const {
  return head().first_instance + (has(row) ? record(row).generation.load() : 0);
}

void Ledger::begin_instance(Row row) {
  std::atomic<uint32_t>& generation = record(row).generation;
  store(generation, generation + 1);
}

void Ledger::hold(Row row, int descriptor) {
  if (!has(row)) return;
  Record& known = record(row);
  if (known.details == 0 && descriptor == 0) return;
  Details* details = details_of(known);
  if (details != nullptr) store(details->held, int32_t{descriptor});
}

void Ledger::keep_answer(uint64_t unique, uint64_t node) {
  Answer& answer = head().answers[head().next_answer++ % answers_max];
  store(answer.unique, uint64_t{0});
  answer.node = node;
  store(answer.unique, unique);
}

std::optional<uint64_t> Ledger::answer(uint64_t unique) const {
  for (const Answer& answer : head().answers) {
    if (answer.unique == unique) return answer.node;
  }
  return std::nullopt;
}

void Ledger::keep_init(std::span<const std::byte> request) {
  if (request.size() > head().init.size()) return store(head().overflowed, true);
  std::ranges::copy(request, head().init.begin());
  store(head().init_bytes, static_cast<uint32_t>(request.size()));
}

std::span<const std::byte> Ledger::init() const {
  return std::span(head().init).first(head().init_bytes);
}

Result<Fd> Ledger::copy_handed(size_t which) const {
  Fd lent(handed(which));
  auto copy = sys::dup(lent);
  static_cast<void>(lent.release());
  return copy;
}

// A piece that nothing leads to was being written, or given back.
Result<> Ledger::resume() {
  if (head().overflowed) return fail(ENOTRECOVERABLE, "ledger");
  std::vector<bool> in_use(head().units_used + 1);
  for (Row row = 1; row <= head().rows_used; ++row) {
    if (record(row).what != 0) each_piece(record(row), [&](Index index) { in_use[index] = true; });
  }
  for (Index index = 1; index <= head().units_used; index += piece<Text>(index).units) {
    if (!in_use[index]) release(index);
  }
  return {};
}

std::optional<Ledger::Kept> Ledger::kept(Row row) const {
  const Record& known = record(row);
  if (known.what == 0) return std::nullopt;
  Kept kept;
  kept.inode.lower = known.lower;
  kept.inode.type = (known.what & 0xfU) << 12;
  kept.inode.in_upper = (known.what & Record::upper_bit) != 0;
  kept.lookups = known.lookups;
  if (known.details == 0) return kept;
  const auto& details = piece<Details>(known.details);
  kept.held = details.held;
  kept.inode.ino = details.ino;
  kept.inode.upper_ino = details.upper_ino;
  return kept;
}

std::vector<Ledger::Name> Ledger::names(Row row) const {
  std::vector<Name> names;
  const Record& known = record(row);
  if (known.parent != 0) names.push_back(read_name(known.parent, known.name));
  if (known.details == 0) return names;
  for (Index index = piece<Details>(known.details).further; index != 0;) {
    const auto& further = piece<Further>(index);
    names.push_back(read_name(further.parent, further.name));
    index = further.next;
  }
  return names;
}

}  // namespace lyr::unionfs
