// SPDX-License-Identifier: Apache-2.0
// unlink and rmdir: a name that the lower side still has must be hidden, not removed.
#include "base/sys_file.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

constexpr size_t held_max =
    256;  // files without names that are kept by descriptor; more go to the work directory
constexpr uint32_t settling_s = 10;

}  // namespace

// Before the last name that is known of a file goes: whoever has it open goes on using it until the
// kernel forgets it.
Result<> Union::hold(Node& node) {
  bool lives = node.name_count() > 1 || node.more().held || node.orphan;
  if (!node.in_upper || lives) return {};
  if (held_count_ < held_max) {
    node.make_more().held = TRY(object(node));
    ++held_count_;
    nodes_.hold(node, node.more().held.get());
    return {};
  }
  auto parent = TRY(directory_fd(*nodes_.parent(node)));
  std::string name = nodes_.name(node);
  std::string orphan = Upper::orphan_name(node.id);
  TRY(sys::link_at(*parent, name.c_str(), *upper_.work(), orphan.c_str()));
  node.orphan = true;
  return {};
}

// Before a directory goes: its attributes can still be asked for. Where it stays after all, it is
// held until its descriptor is let go, see remember_fd.
Result<> Union::hold_directory(Node& node) {
  auto fd = TRY(directory_fd(node));
  nodes_.hold(node, fd.get());
  return {};
}

// The kernel counts a file's links down by itself once it has our answer. An answer to another
// client that it took in between has the loss in it already, and is counted down once more. What
// usually puts that right is the SETATTR of the new time; on a full disk it fails. So until the
// kernel has surely counted, no answer about the file lasts.
void Union::lose_name(Node& node, Node& directory, std::string_view name) {
  nodes_.unlink(node, directory, name);
  if (node.type == S_IFDIR) return;
  if (!node.in_upper && lower_->links(node.lower) > 1) ++node.make_more().names_lost;
  node.doubt_for(settling_s);
}

Result<> Union::put_whiteout(Node& directory, std::string_view name) {
  auto fd = TRY(directory_fd(directory));
  std::string text(name);
  if (directory.above(name) != nullptr) {
    TRY(upper_.whiteout_over(*fd, text.c_str()));
  } else {
    TRY(upper_.whiteout_absent(*fd, text.c_str()));
  }
  add_name(directory, name, true);
  return {};
}

// Takes a name out of the upper; what the lower has of that name stays hidden.
Result<> Union::remove_upper(Node& directory, std::string_view name, bool is_directory) {
  auto fd = TRY(directory_fd(directory));
  std::string text(name);
  bool hide = lower_has(directory, name);
  if (!is_directory && hide) return put_whiteout(directory, name);
  if (!is_directory) {
    TRY(sys::unlink_at(*fd, text.c_str()));
    drop_name(directory, name);
    return {};
  }
  if (hide) {
    TRY(upper_.allow_whiteouts(*fd));
    Temporary aside = TRY(upper_.make_whiteout());
    TRY(move_own(aside.work(), aside.name(), *fd, text.c_str(), RENAME_EXCHANGE));
    add_name(directory, name, true);
    return {};
  }
  auto removed = sys::unlink_at(*fd, text.c_str(), AT_REMOVEDIR);
  if (!removed && removed.error().code == ENOTEMPTY) {  // whiteouts are left in it
    Temporary aside = upper_.temporary();
    removed = move_own(*fd, text.c_str(), aside.work(), aside.name());
  }
  if (removed) drop_name(directory, name);
  return removed;
}

Result<> Union::unlink(uint64_t parent, std::string_view name) {
  std::scoped_lock lock(mutex_);
  if (answered_before()) return {};
  Node* directory = TRY(find_directory(parent));
  Node* node = TRY(child(*directory, name));
  if (node == nullptr) return fail(ENOENT, "unlink");
  TRY(may_remove(*directory, *node));
  if (node->type == S_IFDIR) return fail(EISDIR, "unlink");
  auto shown = TRY(show(*directory, name));
  TRY(copy_up_directory(*directory));
  doubt(*directory);
  Doing removal(ledger_, Intent::Deed::remove, {.node = node->id, .parent = parent, .name = name});
  if (shown->in_upper) {
    TRY(hold(*node));
    TRY(remove_upper(*directory, name, false));
  } else {
    TRY(put_whiteout(*directory, name));
  }
  lose_name(*node, *directory, name);
  removal.done();
  return {};
}

Result<> Union::rmdir(uint64_t parent, std::string_view name) {
  std::scoped_lock lock(mutex_);
  if (answered_before()) return {};
  Node* directory = TRY(find_directory(parent));
  Node* node = TRY(child(*directory, name));
  if (node == nullptr) return fail(ENOENT, "rmdir");
  TRY(may_remove(*directory, *node));
  if (node->type != S_IFDIR) return fail(ENOTDIR, "rmdir");
  bool empty = TRY(is_empty(*node));
  if (!empty) return fail(ENOTEMPTY, "rmdir");
  auto shown = TRY(show(*directory, name));
  TRY(copy_up_directory(*directory));
  doubt(*directory);
  Doing removal(ledger_, Intent::Deed::remove, {.node = node->id, .parent = parent, .name = name});
  if (shown->in_upper) {
    TRY(hold_directory(*node));
    TRY(remove_upper(*directory, name, true));
  } else {
    TRY(put_whiteout(*directory, name));
  }
  lose_moved(*node);
  nodes_.unlink(*node, *directory, name);
  removal.done();
  return {};
}

}  // namespace lyr::unionfs
