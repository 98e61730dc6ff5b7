// SPDX-License-Identifier: Apache-2.0
#include "unionfs/node.h"

#include <sys/stat.h>

#include <algorithm>

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

void NodeTable::index(Node& node) {
  if (node.type == S_IFDIR) return;
  if (node.lower != no_ino) by_lower_[node.lower] = &node;
  if (node.in_upper) by_upper_[node.upper_ino] = &node;
}

void NodeTable::link(Node& node, Node& parent, std::string_view name) {
  auto [child, fresh] = parent.directory->children.try_emplace(std::string(name), &node);
  if (!fresh) return;
  node.links.push_back({&parent, std::string(name)});
  ++parent.child_links;
}

void NodeTable::unlink(Node& node, Node& parent, std::string_view name) {
  auto same = [&](const Link& link) { return link.parent == &parent && link.name == name; };
  if (std::erase_if(node.links, same) == 0) return;
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
  auto lower = by_lower_.find(node.lower);
  if (lower != by_lower_.end() && lower->second == &node) by_lower_.erase(lower);
  auto upper = by_upper_.find(node.upper_ino);
  if (upper != by_upper_.end() && upper->second == &node) by_upper_.erase(upper);
  nodes_.erase(node.id);
}

}  // namespace lyr::unionfs
