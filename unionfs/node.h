// SPDX-License-Identifier: Apache-2.0
// The union's inodes that the kernel knows, and the upper side of its directories. One node an
// inode, however many names it has; a node id is never used again, so that a late request can never
// reach another file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "unionfs/ledger.h"
#include "unionfs/lower.h"
#include "unionfs/upper.h"

namespace lyr::unionfs {

struct Node;

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

// What is in a directory beside the lower's entries. Loaded once, then kept up to date: nobody else
// writes the upper.
struct DirectoryState {
  bool loaded = false;
  NameMap<UpperName> names;
  std::map<uint64_t, std::string> order;  // by cookie
  NameMap<Node*> children;                // those the kernel knows
};

struct Link {
  Node* parent;
  std::string name;
  Ledger::Index record = Ledger::nowhere;  // may be the node's own
};

struct Node {
  uint64_t id = 0;
  uint64_t lookups = 0;      // the kernel's references
  uint64_t child_links = 0;  // links of other nodes to this directory
  uint32_t type = 0;         // S_IFMT bits
  Ledger::Index record = Ledger::nowhere;
  uint64_t ino = 0;    // st_ino, constant over copy-up
  Ino lower = no_ino;  // a directory's merged lower one; a file's content until it is in the upper,
                       // and its identity after
  bool in_upper = false;
  bool no_xattrs = false;   // the upper object has none that the container may see
  bool unsynced = false;    // it is among Union::unsynced_
  uint64_t upper_ino = 0;   // of the upper object
  std::vector<Link> links;  // names we know; none: unlinked
  SharedFd held;            // the upper object of a file without names, or a directory's descriptor
  SharedFd data;            // open for reading and writing
  std::string orphan;       // in the work directory, when descriptors were scarce
  int64_t unsettled_until_ms = 0;  // see Union::lose_name; monotonic
  // Of a directory, see Union::doubt: who was told its attributes last (or several_askers), and
  // until when that answer may still be on its way.
  uint32_t told_to = 0;
  int64_t told_until_ms = 0;
  std::unique_ptr<DirectoryState> directory;
};

constexpr uint64_t root_id = 1;
constexpr uint32_t several_askers = UINT32_MAX;

// Not thread-safe: the union's lock guards it.
class NodeTable {
 public:
  NodeTable();
  Node& root() { return *nodes_.at(root_id); }
  // Null: an id the kernel should not know.
  Node* find(uint64_t id);
  Node& make();
  // Non-directories by what they are: several names may lead to one.
  Node* by_lower(Ino ino);
  Node* by_upper(uint64_t upper_ino);
  // After what the node is was changed.
  void index(Node& node);
  // One more reference of the kernel's.
  void count(Node& node);
  // Node `node` has no name but is kept by a descriptor, or no longer is (null).
  void hold(Node& node, const Fd* descriptor);
  void link(Node& node, Node& parent, std::string_view name);
  void unlink(Node& node, Node& parent, std::string_view name);
  // Drops references; frees what neither the kernel nor a child needs. `freed` is called before.
  template <class Freed>
  void forget(uint64_t id, uint64_t count, Freed freed) {
    Node* known = find(id);
    if (known == nullptr) return;
    known->lookups -= std::min(known->lookups, count);
    if (known->record != Ledger::nowhere) ledger_->uncount(known->record, count);
    std::vector<Node*> perhaps{known};
    while (!perhaps.empty()) {
      Node* node = perhaps.back();
      perhaps.pop_back();
      if (node->id == root_id || node->lookups > 0 || node->child_links > 0) continue;
      freed(*node);
      drop(*node, perhaps);
    }
  }
  size_t size() const { return nodes_.size(); }

  // Writes down what changes from here on; the ledger outlives the table.
  void keep(Ledger& ledger) { ledger_ = &ledger; }
  // Makes the nodes of a server that was killed, and calls `each` for them once all are there.
  void revive(const std::function<void(Node&, const Record&)>& each);

 private:
  Ledger::Inode inode_of(const Node& node) const;
  void revive_name(Ledger::Index index, const Record& record);
  void drop(Node& node, std::vector<Node*>& childless);  // adds the parents whose last child it was

  std::unordered_map<uint64_t, std::unique_ptr<Node>> nodes_;
  std::unordered_map<Ino, Node*> by_lower_;
  std::unordered_map<uint64_t, Node*> by_upper_;
  uint64_t last_id_ = root_id;
  Ledger* ledger_ = nullptr;  // null: the server has no successor
};

}  // namespace lyr::unionfs
