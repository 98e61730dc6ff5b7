// SPDX-License-Identifier: Apache-2.0
#include "unionfs/node.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace lyr::unionfs {

NodeTable::NodeTable() {
  auto root = std::make_unique<Node>();
  root->id = root_id;
  root->lookups = 1;
  root->type = S_IFDIR;
  root->ino = root_ino;
  root->lower = root_ino;
  root->in_upper = true;
  root->directory = std::make_unique<DirectoryState>();
  nodes_.emplace(root_id, std::move(root));
}

Node* NodeTable::find(uint64_t id) {
  auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : found->second.get();
}

Node& NodeTable::make() {
  auto node = std::make_unique<Node>();
  node->id = ++last_id_;
  if (ledger_ != nullptr) ledger_->note_id(last_id_);
  return *nodes_.emplace(node->id, std::move(node)).first->second;
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
  return {node.id, node.ino, node.upper_ino, node.lower, node.type, node.in_upper};
}

void NodeTable::index(Node& node) {
  if (node.record != Ledger::nowhere) ledger_->update(node.record, inode_of(node));
  if (node.type == S_IFDIR) return;
  if (node.lower != no_ino) by_lower_[node.lower] = &node;
  if (node.in_upper) by_upper_[node.upper_ino] = &node;
}

void NodeTable::count(Node& node) {
  ++node.lookups;
  if (node.record != Ledger::nowhere) ledger_->count(node.record);
}

void NodeTable::hold(Node& node, const Fd* descriptor) {
  if (ledger_ == nullptr) return;
  if (node.record == Ledger::nowhere) node.record = ledger_->add(inode_of(node), 0, "");
  if (node.record == Ledger::nowhere) return;
  ledger_->hold(node.record, descriptor == nullptr ? 0 : descriptor->get());
}

void NodeTable::link(Node& node, Node& parent, std::string_view name) {
  auto [child, fresh] = parent.directory->children.try_emplace(std::string(name), &node);
  if (!fresh) return;
  Ledger::Index record = Ledger::nowhere;
  if (ledger_ != nullptr && node.record == Ledger::nowhere) {
    record = node.record = ledger_->add(inode_of(node), parent.id, name);
  } else if (ledger_ != nullptr) {
    record = ledger_->add_name(node.id, parent.id, name);
  }
  node.links.push_back({&parent, std::string(name), record});
  ++parent.child_links;
}

void NodeTable::unlink(Node& node, Node& parent, std::string_view name) {
  auto link = std::ranges::find_if(
      node.links, [&](const Link& known) { return known.parent == &parent && known.name == name; });
  if (link == node.links.end()) return;
  if (link->record != Ledger::nowhere) {
    link->record == node.record ? ledger_->drop_name(link->record) : ledger_->free(link->record);
  }
  node.links.erase(link);
  --parent.child_links;
  auto child = parent.directory->children.find(name);
  if (child != parent.directory->children.end()) parent.directory->children.erase(child);
}

void NodeTable::drop(Node& node, std::vector<Node*>& childless) {
  while (!node.links.empty()) {
    Link link = node.links.back();
    unlink(node, *link.parent, link.name);
    if (link.parent->child_links == 0) childless.push_back(link.parent);
  }
  if (node.record != Ledger::nowhere) ledger_->free(node.record);
  auto lower = by_lower_.find(node.lower);
  if (lower != by_lower_.end() && lower->second == &node) by_lower_.erase(lower);
  auto upper = by_upper_.find(node.upper_ino);
  if (upper != by_upper_.end() && upper->second == &node) by_upper_.erase(upper);
  nodes_.erase(node.id);
}

void NodeTable::revive_name(Ledger::Index index, const Record& record) {
  Node* node = find(record.id);
  Node* parent = find(record.parent);
  bool fits = node != nullptr && parent != nullptr && parent->type == S_IFDIR;
  if (fits && parent->directory->children.try_emplace(std::string(record.name()), node).second) {
    node->links.push_back({parent, std::string(record.name()), index});
    ++parent->child_links;
  } else if (record.kind == Record::Kind::name) {
    ledger_->free(index);  // of a node that was being forgotten
  } else {
    ledger_->drop_name(index);
  }
}

void NodeTable::revive(const std::function<void(Node&, const Record&)>& each) {
  last_id_ = std::max(last_id_, ledger_->last_id());
  ledger_->each([&](Ledger::Index at, const Record& record) {
    if (record.kind != Record::Kind::node) return;
    auto node = std::make_unique<Node>();
    node->id = record.id;
    node->lookups = record.lookups;
    node->type = record.type();
    node->record = at;
    node->ino = record.ino;
    node->lower = record.lower;
    node->in_upper = record.in_upper();
    node->upper_ino = record.upper_ino;
    if (node->type == S_IFDIR) node->directory = std::make_unique<DirectoryState>();
    index(*nodes_.emplace(record.id, std::move(node)).first->second);
  });
  ledger_->each([&](Ledger::Index index, const Record& record) {
    if (record.parent != 0) revive_name(index, record);
  });
  ledger_->each([&](Ledger::Index, const Record& record) {
    if (record.kind == Record::Kind::node) each(*find(record.id), record);
  });
}

}  // namespace lyr::unionfs
