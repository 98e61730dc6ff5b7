// SPDX-License-Identifier: Apache-2.0
// rename: the object moves by one rename of the upper; where the lower side has the old name, the
// same call leaves a whiteout. A merged directory takes its lower part along by a redirect mark
// (overlayfs's redirect_dir).
#include <sys/xattr.h>

#include "base/sys_file.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

// Makes `node` movable to that name: wholly in the upper, and not to be merged with what the lower
// has there.
Result<> Union::prepare_move(Node& node, Node& to, std::string_view name) {
  TRY(copy_up(node));
  if (node.type != S_IFDIR) return complete(node);
  auto fd = TRY(directory_fd(node));
  TRY(load(node));
  if (node.lower != no_ino) {
    TRY(upper_.set_mark(*fd, redirect_mark, lower_path(*lower_, node.lower)));
    keep_moved(node);
    return {};
  }
  if (lower_has(to, name)) TRY(upper_.set_mark(*fd, opaque_mark, "y"));
  return {};
}

Result<> Union::exchange(Node& from, std::string_view name, Node& to, std::string_view new_name) {
  Node* first = TRY(child(from, name));
  Node* second = TRY(child(to, new_name));
  TRY(prepare_move(*first, to, new_name));
  TRY(prepare_move(*second, from, name));
  auto from_fd = TRY(directory_fd(from));
  auto to_fd = TRY(directory_fd(to));
  std::string old_text(name);
  std::string new_text(new_name);
  Doing exchanging(ledger_, Intent::Deed::exchange,
                   {.node = first->id,
                    .parent = from.id,
                    .name = name,
                    .new_parent = to.id,
                    .new_name = new_name,
                    .target = second->id});
  TRY(sys::rename_at(*from_fd, old_text.c_str(), *to_fd, new_text.c_str(), RENAME_EXCHANGE));
  nodes_.unlink(*first, from, name);
  nodes_.unlink(*second, to, new_name);
  nodes_.link(*first, to, new_name);
  nodes_.link(*second, from, name);
  exchanging.done();
  return {};
}

// Two renames, for want of RENAME_WHITEOUT.
Result<> Union::move_then_hide(const Fd& from, const char* name, const Fd& to,
                               const char* new_name) {
  TRY(upper_.allow_whiteouts(from));
  Temporary whiteout = TRY(upper_.make_whiteout());
  TRY(move_own(from, name, to, new_name));
  TRY(sys::rename_at(whiteout.work(), whiteout.name(), from, name));
  whiteout.placed();
  return {};
}

Result<> Union::move(Node& from, std::string_view name, Node& to, std::string_view new_name,
                     Node& node, Node* target) {
  auto from_fd = TRY(directory_fd(from));
  auto to_fd = TRY(directory_fd(to));
  std::string old_text(name);
  std::string new_text(new_name);
  bool hide = lower_has(from, name);
  bool in_the_way = to.above(new_name) != nullptr;
  bool directory = node.type == S_IFDIR;
  Doing moving(ledger_, Intent::Deed::rename,
               {.node = node.id,
                .parent = from.id,
                .name = name,
                .new_parent = to.id,
                .new_name = new_name,
                .target = target == nullptr ? 0 : target->id});
  if (directory && in_the_way) {
    // A directory replaces nothing but an empty directory: what is there (that, or a whiteout)
    // comes to the old place instead. What needs room on the disk comes first. Two whiteouts that
    // change places may be one inode: then the kernel does nothing, and need not.
    if (hide) TRY(upper_.allow_whiteouts(*from_fd));
    auto make = [&] {
      return hide ? upper_.make_whiteout() : Result<Temporary>(upper_.temporary());
    };
    Temporary aside = TRY(make());
    TRY(move_own(*from_fd, old_text.c_str(), *to_fd, new_text.c_str(), RENAME_EXCHANGE));
    TRY(move_own(*from_fd, old_text.c_str(), aside.work(), aside.name(),
                 hide ? RENAME_EXCHANGE : 0));
  } else if (hide && upper_.format().device_whiteouts) {
    auto moved =
        sys::rename_at(*from_fd, old_text.c_str(), *to_fd, new_text.c_str(), RENAME_WHITEOUT);
    if (!moved && moved.error().code == EINVAL) {  // a file system that cannot do both at once
      moved = move_then_hide(*from_fd, old_text.c_str(), *to_fd, new_text.c_str());
    }
    if (!moved) return moved;
  } else if (hide) {
    TRY(move_then_hide(*from_fd, old_text.c_str(), *to_fd, new_text.c_str()));
  } else {
    TRY(sys::rename_at(*from_fd, old_text.c_str(), *to_fd, new_text.c_str()));
  }
  if (target != nullptr) {
    lose_moved(*target);
    lose_name(*target, to, new_name);
  }
  nodes_.unlink(node, from, name);
  if (hide) {
    add_name(from, name, true);
  } else {
    drop_name(from, name);
  }
  add_name(to, new_name, false);
  nodes_.link(node, to, new_name);
  moving.done();
  return {};
}

Result<> Union::rename(uint64_t parent, std::string_view name, uint64_t new_parent,
                       std::string_view new_name, unsigned flags) {
  TRY(check_new_name(new_name));
  if ((flags & ~unsigned{RENAME_NOREPLACE | RENAME_EXCHANGE}) != 0) return fail(EINVAL, "rename");
  std::scoped_lock lock(mutex_);
  if (answered_before()) return {};
  Node* from = TRY(find_directory(parent));
  Node* to = TRY(find_directory(new_parent));
  Node* node = TRY(child(*from, name));
  if (node == nullptr) return fail(ENOENT, "rename");
  Node* target = TRY(child(*to, new_name));
  if (target != nullptr && (flags & RENAME_NOREPLACE) != 0) return fail(EEXIST, "rename");
  if (target == nullptr && (flags & RENAME_EXCHANGE) != 0) return fail(ENOENT, "rename");
  if (target == node) return {};  // two names of one file: nothing to do (POSIX)
  TRY(may_remove(*from, *node));
  TRY(target == nullptr ? may_add(*to) : may_remove(*to, *target));
  bool exchanges = (flags & RENAME_EXCHANGE) != 0;
  if (!may_move(*node) || (exchanges && !may_move(*target))) return fail(EXDEV, "rename");
  TRY(copy_up_directory(*from));
  TRY(copy_up_directory(*to));
  doubt(*from);
  doubt(*to);
  if (exchanges) return exchange(*from, name, *to, new_name);
  if (target != nullptr) {
    bool directory = node->type == S_IFDIR;
    if (target->type == S_IFDIR && !directory) return fail(EISDIR, "rename");
    if (target->type != S_IFDIR && directory) return fail(ENOTDIR, "rename");
    if (directory) {
      bool empty = TRY(is_empty(*target));
      if (!empty) return fail(ENOTEMPTY, "rename");
      if (target->in_upper) TRY(hold_directory(*target));
    } else {
      TRY(hold(*target));
    }
  }
  TRY(prepare_move(*node, *to, new_name));
  return move(*from, name, *to, new_name, *node, target);
}

}  // namespace lyr::unionfs
