// SPDX-License-Identifier: Apache-2.0
// What a union's server leaves to the one that follows it when it is killed: the inodes that the
// kernel knows, and what was being done. It lies in memory that outlives the process, since its
// keeper maps it too, and is kept by plain stores as things happen: no request costs a system call
// more. A kill may come between any two stores, so whatever is written has one that makes it count.
// An inode with a name of up to 16 bytes takes 64, which are used again once it is forgotten.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sys_file.h"
#include "unionfs/intent.h"

namespace lyr::unionfs {

// An inode, with one of its names or none; or one more name of an inode.
struct Record {
  enum class Kind : uint8_t { free, node, name };
  std::atomic<Kind> kind;  // makes it count
  uint8_t units;           // that it takes up; stays, once given
  uint8_t name_bytes;
  std::atomic<uint8_t> what;     // type (S_IFMT >> 12), and whether it is in the upper
  std::atomic<int32_t> held;     // the descriptor that keeps it while it has no name; 0: none
  uint64_t id;                   // the node's
  std::atomic<uint64_t> parent;  // the directory that has the name; 0: no name
  uint64_t ino;
  std::atomic<uint64_t> upper_ino;
  uint32_t lower;
  std::atomic<uint32_t> lookups;  // the kernel's references

  static constexpr uint8_t upper_bit = 0x10;
  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_bytes}; }
  uint32_t type() const { return (what & 0xfU) << 12; }
  bool in_upper() const { return (what & upper_bit) != 0; }
};
static_assert(sizeof(Record) == 48);

// Not thread-safe but for the slots, of which each thread has one: the union's lock guards it.
class Ledger {
 public:
  using Index = uint32_t;
  static constexpr Index nowhere = 0;
  static constexpr size_t threads_max = 64;
  static constexpr size_t handed_max = 2;

  // ENOMEM: not even the smallest will do.
  static Result<Ledger> make();

  struct Inode {
    uint64_t id = 0;
    uint64_t ino = 0;
    uint64_t upper_ino = 0;
    uint32_t lower = 0;
    uint32_t type = 0;
    bool in_upper = false;
  };
  // nowhere: there is no room left, and so there can be no successor. parent 0: no name.
  Index add(const Inode& inode, uint64_t parent, std::string_view name);
  Index add_name(uint64_t node, uint64_t parent, std::string_view name);
  void update(Index index, const Inode& inode);
  void drop_name(Index index) { store(record(index).parent, uint64_t{0}); }
  void free(Index index);
  void count(Index index);
  void uncount(Index index, uint64_t lookups);
  void hold(Index index, int descriptor) { store(record(index).held, descriptor); }
  void note_id(uint64_t id) { store(head().last_id, id); }

  // The slot of the calling thread.
  Slot& slot() { return head().slots[current_request.thread % threads_max]; }
  std::span<Slot> slots() { return head().slots; }
  // What was answered to requests that may come again.
  void keep_answer(uint64_t unique, uint64_t node);
  std::optional<uint64_t> answer(uint64_t unique) const;

  // The first request of the session, which only its first server sees.
  void keep_init(std::span<const std::byte> request);
  std::span<const std::byte> init() const;
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
  uint64_t last_id() const { return head().last_id; }
  void each(const std::function<void(Index, const Record&)>& take) const;

 private:
  static constexpr size_t unit_bytes = 64;
  static constexpr size_t units_max = 5;  // of one record: a name has 255 bytes at most
  static constexpr size_t answers_max = 256;
  struct Answer {
    std::atomic<uint64_t> unique;  // makes it count
    uint64_t node;
  };
  struct Head {
    std::atomic<uint32_t> units_used;
    std::atomic<bool> overflowed;
    std::atomic<uint64_t> last_id;
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
  Record& record(Index index) { return *reinterpret_cast<Record*>(unit(index)); }
  std::byte* unit(Index index);
  const std::byte* unit(Index index) const { return const_cast<Ledger*>(this)->unit(index); }
  Index find_room(size_t name_bytes);
  static void put_name(Record& record, std::string_view name);

  sys::Mapping memory_;
  std::array<std::vector<Index>, units_max + 1> free_;  // by how many units they have
  bool resumed_ = false;
};

}  // namespace lyr::unionfs
