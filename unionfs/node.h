// SPDX-License-Identifier: Apache-2.0
// The union's inodes that the kernel knows, and the upper side of its directories. One node an
// inode, however many names it has; a node id is never used again, so that a late request can never
// reach another file.
//
// An image has hundreds of thousands of files, and the kernel may know them all: a node of one that
// is as the image has it takes 48 bytes and some 12 for its name, which is the lower's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "unionfs/ledger.h"
#include "unionfs/lower.h"
#include "unionfs/name_index.h"
#include "unionfs/upper.h"

namespace lyr::unionfs {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <class Value>
using NameMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

// One name of the upper directory.
struct UpperName {
  bool whiteout = false;
  uint64_t cookie = 0;  // its place in readdir when the lower has no such name, see Union::add_name
};

// What the upper has in a directory. Loaded once, then kept up to date: nobody else writes the
// upper.
struct UpperNames {
  NameMap<UpperName> names;
  std::map<uint64_t, std::string> order;  // by cookie
};

struct Node {
  using Row = Ledger::Row;  // its place in the table
  struct Name {
    Row parent = 0;
    uint32_t entry = no_entry;  // in the parent's lower directory
    std::string text = {};      // with no_entry
  };
  // What few nodes have.
  struct More {
    uint64_t ino = 0;                   // st_ino of one that is in the upper, constant over copy-up
    uint64_t upper_ino = 0;             // of the upper object
    SharedFd held;                      // that of a file without names, or a directory's descriptor
    SharedFd data;                      // open for reading and writing
    struct timespec timed_at{};         // see Union::comes_late
    uint32_t names_lost = 0;            // of one of the lower's with several: they were removed
    std::optional<Ino> content_from;    // of one in the upper without its content: the lower's file
    std::string text;                   // of the first name
    std::vector<Name> further;          // names
    std::unique_ptr<UpperNames> names;  // of a directory; null: the upper has nothing in it
  };

  uint64_t id = 0;
  uint32_t lookups = 0;       // the kernel's references; lookups_max: more than can be counted
  Ino lower = no_ino;         // a directory's merged lower one; a file's content until it is in the
                              // upper, and its identity after
  Row parent = 0;             // of the first name that we know; 0: there is none, it is unlinked
  uint32_t entry = no_entry;  // see Name
  uint32_t child_links = 0;   // links of other nodes to this directory
  // Of a directory, see Union::doubt: who was told its attributes last (or several_askers), and
  // until when that answer may still be on its way. Of a file, see Union::lose_name: until when no
  // answer lasts. Monotonic; 0: no more.
  uint32_t told_to = 0;
  uint32_t doubtful_until_s = 0;
  uint16_t type = 0;  // S_IFMT bits; 0: the row is free
  bool in_upper : 1 = false;
  bool no_xattrs : 1 = false;    // the upper object has none that the container may see
  bool unsynced : 1 = false;     // it is among Union::unsynced_
  bool orphan : 1 = false;       // it is in the work directory, when descriptors were scarce
  bool loaded : 1 = false;       // of a directory: what the upper has in it is known
  bool flags_known : 1 = false;  // the next two
  bool immutable : 1 = false;
  bool append_only : 1 = false;

  Row row() const { return static_cast<Row>(id); }
  bool has_name() const { return parent != 0; }
  size_t name_count() const { return has_name() ? 1 + more().further.size() : 0; }
  const More& more() const { return more_ ? *more_ : nothing_more; }
  More& make_more() {
    if (!more_) more_ = std::make_unique<More>();
    return *more_;
  }
  bool is_doubtful() const;
  void doubt_for(uint32_t seconds);
  // What the upper has of that name in this directory; null: nothing.
  const UpperName* above(std::string_view name) const;

 private:
  static const More nothing_more;
  std::unique_ptr<More> more_;
};
static_assert(sizeof(Node) <= 48);

// A name with what it leads from, for who goes to it.
struct Link {
  Node* parent;
  std::string name;
};

constexpr uint64_t root_id = 1;
constexpr uint32_t several_askers = UINT32_MAX;
constexpr uint32_t lookups_max = UINT32_MAX;

// Not thread-safe: the union's lock guards it, and the lower, which outlives it.
class NodeTable {
 public:
  struct Inode : Ledger::Inode {
    bool no_xattrs = false;
    bool no_flags = false;                 // that protect it
    std::optional<Ino> content_from = {};  // see Node::More
  };
  using Row = Node::Row;

  explicit NodeTable(const Lower& lower);
  Node& root() { return at(static_cast<Row>(root_id)); }
  // Null: an id the kernel should not know.
  Node* find(uint64_t id);
  Node& make(const Inode& inode);
  // The node's object has got its place in the upper.
  void raise(Node& node, uint64_t upper_ino);
  uint64_t ino(const Node& node) const {
    return node.in_upper ? node.more().ino : lower_.number(node.lower);
  }
  // Non-directories by what they are: several names may lead to one. Of the lower's, those that
  // have several there.
  Node* by_lower(Ino ino);
  Node* by_upper(uint64_t upper_ino);

  // References of the kernel's; `pin` and `unpin`: of our own, which no successor knows.
  void count(Node& node);
  static void pin(Node& node) { node.lookups += node.lookups < lookups_max ? 1 : 0; }
  static void unpin(Node& node) { drop_lookups(node, 1); }
  // Node `node` has no name but is kept by a descriptor, or no longer is (null).
  void hold(Node& node, const Fd* descriptor);

  // Names. The parent's lower directory is loaded.
  Node* child(const Node& parent, std::string_view name);  // null: the kernel knows none
  Node* parent(const Node& node) { return node.has_name() ? &at(node.parent) : nullptr; }
  std::string name(const Node& node) { return std::string(first_text(node)); }  // the first
  std::vector<Link> links(const Node& node);
  void link(Node& node, Node& parent, std::string_view name);
  // `entry`: what the lower's directory has of that name.
  void link(Node& node, Node& parent, std::string_view name, uint32_t entry);
  void unlink(Node& node, Node& parent, std::string_view name);

  // Drops references; frees what neither the kernel nor a child needs. `freed` is called before.
  template <class Freed>
  void forget(uint64_t id, uint64_t count, Freed freed) {
    Node* known = find(id);
    if (known == nullptr) return;
    drop_lookups(*known, count);
    if (ledger_ != nullptr) ledger_->uncount(known->row(), count);
    if (is_needed(*known)) return;
    std::vector<Node*> perhaps{known};
    while (!perhaps.empty()) {
      Node* node = perhaps.back();
      perhaps.pop_back();
      if (is_needed(*node)) continue;
      freed(*node);
      drop(*node, perhaps);
    }
  }
  size_t size() const { return count_; }

  // Writes down what changes from here on; the ledger outlives the table.
  void keep(Ledger& ledger) { ledger_ = &ledger; }
  // Makes the nodes of a server that was killed, and calls `each` for them, with the descriptor
  // that holds it or 0, once all are there.
  void revive(const std::function<void(Node&, int held)>& each);

 private:
  // Nodes stay where they are: they are in pieces of a table that grows, and is kept.
  static constexpr unsigned chunk_log2 = 10;
  static constexpr size_t chunk_rows = size_t{1} << chunk_log2;
  static constexpr uint64_t generation_step = uint64_t{1} << 32;  // in an id, above the row

  static uint64_t id_of(Row row, uint64_t generation) { return generation * generation_step + row; }
  static void drop_lookups(Node& node, uint64_t count) {
    if (node.lookups == lookups_max) return;
    node.lookups -= static_cast<uint32_t>(std::min<uint64_t>(node.lookups, count));
  }
  static bool is_needed(const Node& node) {
    return node.id == root_id || node.lookups > 0 || node.child_links > 0;
  }
  Node& at(Row row) { return chunks_[row >> chunk_log2][row % chunk_rows]; }
  const Node& at(Row row) const { return chunks_[row >> chunk_log2][row % chunk_rows]; }
  Node& append_row();
  Node& take_row();
  void free_row(Node& node, uint64_t next_id);
  void set(Node& node, const Inode& inode);
  void index(Node& node);
  Ledger::Inode inode_of(const Node& node) const;
  std::string_view text_of(Row parent, uint32_t entry, const std::string& text) const {
    return entry == no_entry ? text : lower_.entry_name(at(parent).lower, entry);
  }
  std::string_view first_text(const Node& node) const {
    return text_of(node.parent, node.entry, node.more().text);
  }
  bool has(const Node& node, Row parent, std::string_view name) const;
  Row find_child(Row parent, std::string_view name, uint32_t hash) const;  // 0: there is none
  bool add_name(Node& node, Node& parent, std::string_view name, uint32_t entry);
  Node::Name take_first(Node& node);
  void revive_names(Row row);
  void drop(Node& node, std::vector<Node*>& childless);  // adds the parents whose last child it was

  const Lower& lower_;
  std::vector<std::unique_ptr<Node[]>> chunks_;
  Row rows_used_ = 0;
  Row free_ = 0;  // the first free row; each has the next one as its parent
  size_t count_ = 0;
  NameIndex names_;
  std::unordered_map<Ino, Node*> by_lower_;
  std::unordered_map<uint64_t, Node*> by_upper_;
  Ledger* ledger_ = nullptr;  // null: the server has no successor
};

}  // namespace lyr::unionfs
