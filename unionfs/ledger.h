// SPDX-License-Identifier: Apache-2.0
// What a union's server leaves to the one that follows it when it is killed: the inodes that the
// kernel knows, and what was being done. It lies in memory that outlives the process, since its
// keeper maps it too, and is kept by plain stores as things happen: no request costs a system call
// more. A kill may come between any two stores, so whatever is written has one that makes it count.
//
// An inode has a record of 28 bytes, in the row that it has in the node table; the row is used
// again once the inode is forgotten. That is all of it, as long as it is the lower's and has one
// name, which the lower knows. What else there is to tell is in pieces, which the record leads to.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sys_file.h"
#include "store/tree.h"
#include "unionfs/intent.h"

namespace lyr::unionfs {

using store::no_entry;

// An inode. All of it may be zero: a row that was never used.
struct Record {
  std::atomic<uint32_t> generation;  // with the row, the node's id; of a free row: the next one's
  std::atomic<uint32_t> what;        // makes it count: type (S_IFMT >> 12), and whether it is in
                                     // the upper; 0: the row is free
  std::atomic<uint32_t> parent;      // the row of the directory that has the name; 0: no name
  std::atomic<uint32_t> name;        // an index in the parent's lower directory, or a text's piece
  std::atomic<uint32_t> lookups;     // the kernel's references
  std::atomic<uint32_t> details;     // a piece; 0: none
  uint32_t lower;

  static constexpr uint32_t upper_bit = 0x10;
};
static_assert(sizeof(Record) == 28);

// Not thread-safe but for the slots, of which each thread has one: the union's lock guards it.
class Ledger {
 public:
  using Row = uint32_t;  // 0: none
  static constexpr size_t threads_max = 64;
  static constexpr size_t handed_max = 3;
  // A row with as many ids behind it is not used again.
  static constexpr uint32_t generation_end = UINT32_MAX;

  // ENOMEM: not even the smallest will do. EAGAIN and such: no random number.
  static Result<Ledger> make();

  struct Inode {
    uint64_t ino = 0;        // of one that is in the upper
    uint64_t upper_ino = 0;  // the same
    uint32_t lower = 0;
    uint32_t type = 0;
    bool in_upper = false;
  };
  // A name in the directory of a row: an index in what the lower has there, or a text.
  struct Name {
    Row parent = 0;
    uint32_t entry = no_entry;
    std::string_view text = {};  // with no_entry
  };
  // Where there is no room left nothing is written, and there can be no successor.
  void add(Row row, const Inode& inode);
  void update(Row row, const Inode& inode);
  void add_name(Row row, const Name& name);
  void drop_name(Row row, const Name& name);
  void free(Row row);  // with the names that it has
  void count(Row row);
  bool uncount(Row row, uint64_t lookups);  // whether that was the last one
  // Of a server whose rows are an image's inodes: a number that no instance of this one had, nor,
  // but for bad luck, one of another ledger. The same for all when there is no room for the row.
  uint32_t instance(Row row) const;
  void begin_instance(Row row);
  void hold(Row row, int descriptor);  // that keeps it while it has no name; 0: none

  // The slot of the calling thread.
  Slot& slot() { return head().slots[current_request.thread % threads_max]; }
  std::span<Slot> slots() { return head().slots; }
  // What was answered to requests that may come again.
  void keep_answer(uint64_t unique, uint64_t node);
  std::optional<uint64_t> answer(uint64_t unique) const;

  // The first request of the session, which only its first server sees.
  void keep_init(std::span<const std::byte> request);
  std::span<const std::byte> init() const;
  // Of FUSE passthrough, see unionfs/opens.h. All of it may be zero.
  struct Open {
    std::atomic<uint32_t> generation;  // with the row, the node's id: of any other the rest is old
    std::atomic<uint32_t> files;       // that are open
    std::atomic<int32_t> backing;      // the kernel's number of what backs them; 0: the server does
    std::atomic<uint16_t> mapped;      // not 0: the kernel may have, and have written to it so
    std::atomic<uint16_t> executed;    // of the files, those that are
  };
  Open* open_of(Row row);  // null: there is no room for it, or no such row

  // Descriptors that the server was sent, to be open for its successor too.
  void hand(size_t which, Fd descriptor) {
    store(head().handed[which], int32_t{descriptor.release()});
  }
  bool has(size_t which) const { return handed(which) != 0; }
  int handed(size_t which) const { return head().handed[which]; }  // 0: none
  Result<Fd> copy_handed(size_t which) const;

  // For what follows a server that was killed, in whose process it must not have been used before.
  void mark_resumed() { resumed_ = true; }
  bool resumed() const { return resumed_; }
  // Before anything is added. ENOTRECOVERABLE: there was no room for all.
  Result<> resume();
  Row rows_used() const { return head().rows_used; }
  uint32_t generation(Row row) const { return record(row).generation; }
  struct Kept {
    Inode inode;
    uint32_t lookups = 0;
    int held = 0;
  };
  std::optional<Kept> kept(Row row) const;  // nothing: it is free
  std::vector<Name> names(Row row) const;

  size_t bytes_used() const;  // of records and pieces

 private:
  using Index = uint32_t;  // of a piece's first unit; 0: none
  static constexpr size_t unit_bytes = 16;
  static constexpr size_t units_max = 17;  // of one piece: a name has 255 bytes at most
  static constexpr uint32_t text_bit = uint32_t{1} << 31;  // in `name`: it is a piece's index
  static constexpr size_t answers_max = 256;
  // A piece counts when what refers to it does, so it is written before. Each begins with the units
  // that it takes up, which stay, once given.
  struct Text {
    uint8_t units;
    uint8_t bytes;
    std::string_view get() const { return {reinterpret_cast<const char*>(this + 1), bytes}; }
  };
  struct Details {
    uint8_t units;
    std::atomic<int32_t> held;
    uint64_t ino;
    std::atomic<uint64_t> upper_ino;
    std::atomic<Index> further;  // the first of its further names
  };
  struct Further {
    uint8_t units;
    Row parent;
    uint32_t name;
    std::atomic<Index> next;
  };
  static_assert(sizeof(Details) == 2 * unit_bytes && sizeof(Further) == unit_bytes);
  struct Answer {
    std::atomic<uint64_t> unique;  // makes it count
    uint64_t node;
  };
  struct Head {
    std::atomic<Row> rows_used;
    std::atomic<Index> units_used;
    std::atomic<bool> overflowed;
    uint32_t first_instance;
    std::array<std::atomic<int32_t>, handed_max> handed;
    std::atomic<uint32_t> init_bytes;
    std::array<std::byte, 512> init;
    std::array<Slot, threads_max> slots;
    uint32_t next_answer;
    std::array<Answer, answers_max> answers;
  };

  explicit Ledger(sys::Mapping memory) : memory_(std::move(memory)) {}
  // The next store comes after this one, for whoever looks when the process is dead.
  template <class T>
  static void store(std::atomic<T>& to, T value) {
    to.store(value, std::memory_order_release);
  }
  Head& head() { return *reinterpret_cast<Head*>(memory_.mutable_bytes().data()); }
  const Head& head() const { return *reinterpret_cast<const Head*>(memory_.bytes().data()); }
  // Records and what is open of each take the first half of the memory, pieces the second.
  static size_t rows_max(size_t bytes) {
    return (bytes - sizeof(Head)) / 2 / (sizeof(Record) + sizeof(Open));
  }
  bool has(Row row) const { return row <= rows_max(memory_.bytes().size()); }
  Record& record(Row row);
  const Record& record(Row row) const { return const_cast<Ledger*>(this)->record(row); }
  std::byte* unit(Index index);
  template <class Piece>
  Piece& piece(Index index) {
    return *reinterpret_cast<Piece*>(unit(index));
  }
  template <class Piece>
  const Piece& piece(Index index) const {
    return const_cast<Ledger*>(this)->piece<Piece>(index);
  }
  Index find_room(size_t bytes);
  void release(Index index) { free_[piece<Text>(index).units].push_back(index); }
  void release_name(uint32_t name) {
    if ((name & text_bit) != 0) release(name & ~text_bit);
  }
  Details* details_of(Record& record);  // null: there is no room
  std::optional<uint32_t> write_name(const Name& name);
  Name read_name(Row parent, uint32_t name) const;
  bool is(uint32_t name, const Name& other) const;
  void drop_further(Record& of, const Name& name);
  template <class Take>
  void each_piece(const Record& of, Take take) const;

  sys::Mapping memory_;
  std::array<std::vector<Index>, units_max + 1> free_;  // by how many units they have
  bool resumed_ = false;
};

}  // namespace lyr::unionfs
