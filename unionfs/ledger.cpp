// SPDX-License-Identifier: Apache-2.0
#include "unionfs/ledger.h"

#include <algorithm>
#include <limits>

namespace lyr::unionfs {
namespace {

// Addresses only; memory is taken by what is written.
constexpr std::array<size_t, 3> sizes{size_t{16} << 30, size_t{1} << 30, size_t{64} << 20};

uint8_t what_of(const Ledger::Inode& inode) {
  return static_cast<uint8_t>(inode.type >> 12 | (inode.in_upper ? Record::upper_bit : 0U));
}

}  // namespace

Result<Ledger> Ledger::make() {
  for (size_t bytes : sizes) {
    auto memory = sys::Mapping::anonymous(bytes);
    if (memory) return Ledger(std::move(*memory));
  }
  return fail(ENOMEM, "mmap");
}

std::byte* Ledger::unit(Index index) {
  constexpr size_t first = (sizeof(Head) + unit_bytes - 1) / unit_bytes;
  return memory_.mutable_bytes().data() + (first + index - 1) * unit_bytes;
}

Ledger::Index Ledger::find_room(size_t name_bytes) {
  size_t units = (sizeof(Record) + name_bytes + unit_bytes - 1) / unit_bytes;
  std::vector<Index>& free = free_[units];
  if (!free.empty()) {
    Index index = free.back();
    free.pop_back();
    return index;
  }
  uint32_t used = head().units_used;
  const std::byte* end = memory_.bytes().data() + memory_.bytes().size();
  if (used >= std::numeric_limits<Index>::max() - units_max ||
      unit(used + 1) + units * unit_bytes > end) {
    store(head().overflowed, true);
    return nowhere;
  }
  Index index = used + 1;
  record(index).units = static_cast<uint8_t>(units);
  store(head().units_used, static_cast<uint32_t>(used + units));
  return index;
}

void Ledger::put_name(Record& record, std::string_view name) {
  record.name_bytes = static_cast<uint8_t>(name.size());
  std::memcpy(reinterpret_cast<char*>(&record + 1), name.data(), name.size());
}

Ledger::Index Ledger::add(const Inode& inode, uint64_t parent, std::string_view name) {
  Index index = find_room(name.size());
  if (index == nowhere) return nowhere;
  Record& fresh = record(index);
  fresh.id = inode.id;
  fresh.held = 0;
  fresh.lookups = 0;
  fresh.parent = parent;
  put_name(fresh, name);
  update(index, inode);
  store(fresh.kind, Record::Kind::node);
  return index;
}

Ledger::Index Ledger::add_name(uint64_t node, uint64_t parent, std::string_view name) {
  Index index = find_room(name.size());
  if (index == nowhere) return nowhere;
  Record& fresh = record(index);
  fresh.id = node;
  fresh.held = 0;
  fresh.parent = parent;
  put_name(fresh, name);
  store(fresh.kind, Record::Kind::name);
  return index;
}

// That it is in the upper comes last: until then it can be copied there once more.
void Ledger::update(Index index, const Inode& inode) {
  Record& known = record(index);
  known.ino = inode.ino;
  known.lower = inode.lower;
  store(known.upper_ino, inode.upper_ino);
  store(known.what, what_of(inode));
}

void Ledger::free(Index index) {
  Record& old = record(index);
  store(old.kind, Record::Kind::free);
  free_[old.units].push_back(index);
}

// Saturates: what was asked for so often is never forgotten.
void Ledger::count(Index index) {
  std::atomic<uint32_t>& lookups = record(index).lookups;
  if (lookups != std::numeric_limits<uint32_t>::max()) store(lookups, lookups + 1);
}

void Ledger::uncount(Index index, uint64_t lookups) {
  std::atomic<uint32_t>& known = record(index).lookups;
  if (known == std::numeric_limits<uint32_t>::max()) return;
  store(known, static_cast<uint32_t>(known - std::min<uint64_t>(known, lookups)));
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

Result<> Ledger::resume() {
  if (head().overflowed) return fail(ENOTRECOVERABLE, "ledger");
  for (Index index = 1; index <= head().units_used; index += record(index).units) {
    if (record(index).kind == Record::Kind::free) free_[record(index).units].push_back(index);
  }
  return {};
}

void Ledger::each(const std::function<void(Index, const Record&)>& take) const {
  for (Index index = 1; index <= head().units_used;) {
    const auto& found = *reinterpret_cast<const Record*>(unit(index));
    if (found.kind != Record::Kind::free) take(index, found);
    index += found.units;
  }
}

}  // namespace lyr::unionfs
