// SPDX-License-Identifier: Apache-2.0
#include "unionfs/node.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/sys_event.h"

namespace lyr::unionfs {
namespace {

uint32_t hash_of(Node::Row parent, std::string_view name) {
  constexpr uint64_t odd = 0x9e3779b97f4a7c15;
  return static_cast<uint32_t>((StringHash()(name) ^ parent * odd) * odd >> 32);
}

uint32_t now_s() { return static_cast<uint32_t>(sys::now_monotonic_ms() / 1000); }

}  // namespace

const Node::More Node::nothing_more;

bool Node::is_doubtful() const { return now_s() < doubtful_until_s; }
void Node::doubt_for(uint32_t seconds) { doubtful_until_s = now_s() + seconds + 1; }

const UpperName* Node::above(std::string_view name) const {
  const UpperNames* upper = more().names.get();
  if (upper == nullptr) return nullptr;
  auto found = upper->names.find(name);
  return found == upper->names.end() ? nullptr : &found->second;
}

NodeTable::NodeTable(const Lower& lower) : lower_(lower) {
  Node& root = take_row();
  CHECK(root.id == root_id);
  root.lookups = 1;
  root.type = S_IFDIR;
  root.lower = root_ino;
}

Node& NodeTable::append_row() {
  Row row = ++rows_used_;
  CHECK(row != 0);
  if (row >> chunk_log2 >= chunks_.size()) chunks_.push_back(std::make_unique<Node[]>(chunk_rows));
  at(row).id = row;
  return at(row);
}

// Nothing in it but its id.
Node& NodeTable::take_row() {
  ++count_;
  if (free_ == 0) return append_row();
  Node& node = at(free_);
  free_ = std::exchange(node.parent, 0);
  return node;
}

void NodeTable::free_row(Node& node, uint64_t next_id) {
  node = Node();
  node.id = next_id;
  if (next_id / generation_step == Ledger::generation_end) return;
  node.parent = std::exchange(free_, node.row());
}

Node* NodeTable::find(uint64_t id) {
  auto row = static_cast<Row>(id);
  if (row == 0 || row > rows_used_) return nullptr;
  Node& node = at(row);
  return node.id == id && node.type != 0 ? &node : nullptr;
}

void NodeTable::set(Node& node, const Inode& inode) {
  node.type = static_cast<uint16_t>(inode.type);
  node.lower = inode.lower;
  node.in_upper = inode.in_upper;
  node.no_xattrs = inode.no_xattrs;
  node.flags_known = inode.no_flags;
  node.immutable = node.append_only = false;
  if (!inode.in_upper) return;
  node.make_more().ino = inode.ino;
  node.make_more().upper_ino = inode.upper_ino;
  node.make_more().content_from = inode.content_from;
}

Node& NodeTable::make(const Inode& inode) {
  Node& node = take_row();
  set(node, inode);
  if (ledger_ != nullptr) ledger_->add(node.row(), inode);
  index(node);
  return node;
}

void NodeTable::raise(Node& node, uint64_t upper_ino) {
  node.make_more().ino = ino(node);
  node.make_more().upper_ino = upper_ino;
  node.in_upper = true;
  if (ledger_ != nullptr) ledger_->update(node.row(), inode_of(node));
  index(node);
}

Node* NodeTable::by_lower(Ino ino) {
  auto found = by_lower_.find(ino);
  return found == by_lower_.end() ? nullptr : found->second;
}

Node* NodeTable::by_upper(uint64_t upper_ino) {
  auto found = by_upper_.find(upper_ino);
  return found == by_upper_.end() ? nullptr : found->second;
}

Ledger::Inode NodeTable::inode_of(const Node& node) const {
  return {node.more().ino, node.more().upper_ino, node.lower, node.type, node.in_upper};
}

void NodeTable::index(Node& node) {
  if (node.type == S_IFDIR) return;
  if (node.lower != no_ino && lower_.links(node.lower) > 1) by_lower_[node.lower] = &node;
  if (node.in_upper) by_upper_[node.more().upper_ino] = &node;
}

void NodeTable::count(Node& node) {
  pin(node);
  if (ledger_ != nullptr) ledger_->count(node.row());
}

void NodeTable::hold(Node& node, const Fd* descriptor) {
  if (ledger_ != nullptr) ledger_->hold(node.row(), descriptor == nullptr ? 0 : descriptor->get());
}

bool NodeTable::has(const Node& node, Row parent, std::string_view name) const {
  if (node.parent == parent && first_text(node) == name) return true;
  return std::ranges::any_of(node.more().further, [&](const Node::Name& known) {
    return known.parent == parent && text_of(parent, known.entry, known.text) == name;
  });
}

NodeTable::Row NodeTable::find_child(Row parent, std::string_view name, uint32_t hash) const {
  return names_.find(hash, [&](Row row) { return has(at(row), parent, name); });
}

Node* NodeTable::child(const Node& parent, std::string_view name) {
  Row found = find_child(parent.row(), name, hash_of(parent.row(), name));
  return found == 0 ? nullptr : &at(found);
}

std::vector<Link> NodeTable::links(const Node& node) {
  std::vector<Link> links;
  if (!node.has_name()) return links;
  links.push_back({&at(node.parent), name(node)});
  for (const Node::Name& known : node.more().further) {
    std::string_view text = text_of(known.parent, known.entry, known.text);
    links.push_back({&at(known.parent), std::string(text)});
  }
  return links;
}

// False: the name is known already.
bool NodeTable::add_name(Node& node, Node& parent, std::string_view name, uint32_t entry) {
  uint32_t hash = hash_of(parent.row(), name);
  if (find_child(parent.row(), name, hash) != 0) return false;
  std::string text(entry == no_entry ? name : std::string_view());
  if (node.has_name()) {
    node.make_more().further.push_back({parent.row(), entry, std::move(text)});
  } else {
    node.parent = parent.row();
    node.entry = entry;
    if (entry == no_entry) node.make_more().text = std::move(text);
  }
  names_.add(hash, node.row());
  ++parent.child_links;
  return true;
}

void NodeTable::link(Node& node, Node& parent, std::string_view name) {
  link(node, parent, name, parent.lower == no_ino ? no_entry : lower_.find(parent.lower, name));
}

void NodeTable::link(Node& node, Node& parent, std::string_view name, uint32_t entry) {
  if (!add_name(node, parent, name, entry) || ledger_ == nullptr) return;
  ledger_->add_name(node.row(), {parent.row(), entry, name});
}

// What comes after it is the first name then.
Node::Name NodeTable::take_first(Node& node) {
  Node::Name first{node.parent, node.entry, {}};
  if (node.entry == no_entry) first.text = std::move(node.make_more().text);
  Node::Name next;
  if (node.name_count() > 1) {
    auto& further = node.make_more().further;
    next = std::move(further.front());
    further.erase(further.begin());
  }
  node.parent = next.parent;
  node.entry = next.entry;
  if (next.entry == no_entry && next.parent != 0) node.make_more().text = std::move(next.text);
  return first;
}

void NodeTable::unlink(Node& node, Node& parent, std::string_view name) {
  Row row = parent.row();
  if (!has(node, row, name)) return;
  Node::Name gone;
  if (node.parent == row && first_text(node) == name) {
    gone = take_first(node);
  } else {
    auto& further = node.make_more().further;
    auto known = std::ranges::find_if(further, [&](const Node::Name& one) {
      return one.parent == row && text_of(row, one.entry, one.text) == name;
    });
    gone = std::move(*known);
    further.erase(known);
  }
  names_.remove(hash_of(row, name), node.row());
  --parent.child_links;
  if (ledger_ != nullptr) ledger_->drop_name(node.row(), {gone.parent, gone.entry, gone.text});
}

void NodeTable::drop(Node& node, std::vector<Node*>& childless) {
  while (node.has_name()) {
    Node& parent = at(node.parent);
    names_.remove(hash_of(node.parent, first_text(node)), node.row());
    take_first(node);
    if (--parent.child_links == 0) childless.push_back(&parent);
  }
  if (ledger_ != nullptr) ledger_->free(node.row());
  auto lower = by_lower_.find(node.lower);
  if (lower != by_lower_.end() && lower->second == &node) by_lower_.erase(lower);
  auto upper = by_upper_.find(node.more().upper_ino);
  if (upper != by_upper_.end() && upper->second == &node) by_upper_.erase(upper);
  free_row(node, node.id + generation_step);
  --count_;
}

void NodeTable::revive_names(Row row) {
  Node& node = at(row);
  for (const Ledger::Name& known : ledger_->names(row)) {
    Node* parent = known.parent <= rows_used_ ? &at(known.parent) : nullptr;
    bool fits = parent != nullptr && parent->type == S_IFDIR;
    if (fits) {
      std::string_view name = known.text;
      if (known.entry != no_entry) name = lower_.entry_name(parent->lower, known.entry);
      fits = add_name(node, *parent, name, known.entry);
    }
    if (!fits) ledger_->drop_name(row, known);
  }
}

void NodeTable::revive(const std::function<void(Node&, int held)>& each) {
  while (rows_used_ < ledger_->rows_used()) {
    Node& node = append_row();
    uint64_t id = id_of(node.row(), ledger_->generation(node.row()));
    auto kept = ledger_->kept(node.row());
    if (!kept) {
      free_row(node, id);
      continue;
    }
    node.id = id;
    node.lookups = kept->lookups;
    set(node, {kept->inode});
    index(node);
    ++count_;
  }
  auto each_row = [this](auto take) {
    for (Row row = root_id + 1; row <= rows_used_; ++row) {
      if (at(row).type != 0) take(row);
    }
  };
  each_row([this](Row row) { revive_names(row); });
  each_row([&](Row row) { each(at(row), ledger_->kept(row)->held); });
}

}  // namespace lyr::unionfs
