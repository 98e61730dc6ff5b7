// SPDX-License-Identifier: Apache-2.0
// docker diff's list, from the upper directory alone: in O(changes), whatever the size of the
// image.
#include "unionfs/changes.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/acl.h"
#include "unionfs/format.h"
#include "unionfs/lower.h"
#include "unionfs/override_stat.h"
#include "unionfs/upper.h"

namespace lyr::unionfs {
namespace {

constexpr int depth_max = 1024;

// A running container goes on: what was listed may be something else by now.
bool has_gone(const Error& error) {
  return error.code == ENOENT || error.code == ENOTDIR || error.code == ELOOP;
}

class Differ {
 public:
  Differ(const store::Tree& tree, Ownership ownership) : tree_(tree), ownership_(ownership) {}

  // `from`: the lower directory that is merged with it; `shown_in`: the lower one of the same path.
  Result<> walk(const Fd& upper, Ino from, Ino shown_in, const std::string& path, int depth) {
    if (depth > depth_max) return fail(EMLINK, "diff");
    auto marks = TRY(read_marks(upper));
    std::vector<std::string> names;
    auto take = [&](const sys::DirectoryEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    };
    TRY(sys::read_directory(upper, take));
    std::ranges::sort(names);
    for (const std::string& name : names) {
      auto visited = visit(upper, name, from, shown_in, path + "/" + name, depth);
      if (!visited && !has_gone(visited.error())) return visited;
    }
    if (!marks.opaque && from == shown_in) return {};
    // What the image has here and the union has not, without a whiteout of its own.
    for (uint32_t i = 0; shown_in != no_ino && i < tree_.entry_count(shown_in); ++i) {
      std::string name(tree_.entry(shown_in, i).name);
      bool below = !marks.opaque && from != no_ino && tree_.lookup(from, name) != no_ino;
      if (!below && !std::ranges::binary_search(names, name))
        add({ChangeKind::deleted, path + "/" + name});
    }
    if (from == no_ino || from == shown_in) return {};
    for (uint32_t i = 0; i < tree_.entry_count(from); ++i) {
      std::string name(tree_.entry(from, i).name);
      if (!std::ranges::binary_search(names, name))
        add_lower(tree_.entry(from, i).ino, child(shown_in, name), path + "/" + name, depth);
    }
    return {};
  }

  std::vector<Change> finish() {
    std::ranges::sort(changes_, {}, &Change::path);
    return std::move(changes_);
  }

 private:
  void add(Change change) { changes_.push_back(std::move(change)); }

  Ino child(Ino directory, std::string_view name) const {
    return directory == no_ino ? no_ino : tree_.lookup(directory, name);
  }
  Ino if_directory(Ino ino) const {
    return ino != no_ino && S_ISDIR(tree_.attr(ino).mode) ? ino : no_ino;
  }

  Result<> visit(const Fd& directory, const std::string& name, Ino from, Ino shown_in,
                 const std::string& path, int depth) {
    Fd object = TRY(sys::open_at(directory, name.c_str(), O_PATH | O_NOFOLLOW));
    auto status = TRY(sys::stat(object));
    Ino old = child(shown_in, name);
    Marks marks;
    if (!S_ISLNK(status.st_mode)) marks = TRY(read_marks(object));
    if (is_device_whiteout(status) || (marks.whiteout && S_ISREG(status.st_mode))) {
      if (old != no_ino) add({ChangeKind::deleted, path});
      return {};
    }
    Change change{old == no_ino ? ChangeKind::added : ChangeKind::changed, path};
    bool is_directory = S_ISDIR(status.st_mode);
    if (!is_directory && status.st_nlink > 1) change.links_as = status.st_ino;
    Ino below = no_ino;
    if (marks.redirect.starts_with('/')) {
      below = store::resolve(tree_, marks.redirect, false);
    } else if (!marks.redirect.empty()) {  // it was beside, where its parent is from
      below = child(from, marks.redirect);
    } else if (!marks.opaque) {
      below = child(from, name);
    }
    change.owner = TRY(owner_of(object, status, below != no_ino ? below : old));
    if (is_directory) {
      auto parent = TRY(sys::stat(directory));
      auto attr = old != no_ino ? tree_.attr(old) : made_in(parent);
      bool dressed = TRY(is_dressed(object, status, old, attr));
      change.dressed = dressed || !marks.redirect.empty();
    }
    add(std::move(change));
    if (!is_directory) return {};
    Fd inside = TRY(sys::open_at(object, ".", O_RDONLY | O_DIRECTORY));
    object.reset();
    return walk(inside, if_directory(below), if_directory(old), path, depth + 1);
  }

  // A part of the image that a moved directory brought to a new place, where the image has
  // `old`, if anything.
  void add_lower(Ino ino, Ino old, const std::string& path, int depth) {
    auto attr = tree_.attr(ino);
    bool is_directory = S_ISDIR(attr.mode);
    Change change{old == no_ino ? ChangeKind::added : ChangeKind::changed, path};
    // No number of the upper's file system.
    if (!is_directory && attr.nlink > 1) change.links_as = ~uint64_t{ino};
    if (ownership_ == Ownership::in_xattr) change.owner = Owner{attr.uid, attr.gid};
    change.dressed = is_directory;  // it was moved
    add(std::move(change));
    if (!is_directory || depth > depth_max) return;
    Ino shown_in = if_directory(old);
    for (uint32_t i = 0; shown_in != no_ino && i < tree_.entry_count(shown_in); ++i) {
      std::string name(tree_.entry(shown_in, i).name);
      if (child(ino, name) == no_ino) add({ChangeKind::deleted, path + "/" + name});
    }
    for (uint32_t i = 0; i < tree_.entry_count(ino); ++i) {
      std::string name(tree_.entry(ino, i).name);
      add_lower(tree_.entry(ino, i).ino, child(shown_in, name), path + "/" + name, depth + 1);
    }
  }

  // `in_image`: what it is a copy of, or replaces.
  Result<std::optional<Owner>> owner_of(const Fd& object, const struct stat& status,
                                        Ino in_image) const {
    if (ownership_ != Ownership::in_xattr) return std::nullopt;
    const OverrideStat noted(containers_stat_name);
    if (noted.covers(status.st_mode)) {
      auto value = TRY(noted.read(object));
      if (value) return Owner{value->uid, value->gid};
    }
    if (in_image == no_ino) return std::nullopt;
    auto attr = tree_.attr(in_image);
    return Owner{attr.uid, attr.gid};
  }

  // A directory as root makes it.
  static store::TreeAttr made_in(const struct stat& parent) {
    store::TreeAttr made;
    made.mode = S_IFDIR | 0755 | (parent.st_mode & S_ISGID);
    if ((parent.st_mode & S_ISGID) != 0) made.gid = parent.st_gid;
    return made;
  }

  // `old`: what the image has in its place; `attr`: what it has to be not to be dressed.
  Result<bool> is_dressed(const Fd& object, const struct stat& status, Ino old,
                          const store::TreeAttr& attr) const {
    if (status.st_mode != attr.mode) return true;
    bool same_owner = status.st_uid == attr.uid && status.st_gid == attr.gid;
    if (ownership_ == Ownership::real && !same_owner) return true;
    auto names = sys::list_xattrs(object);
    if (!names && names.error().code == EOPNOTSUPP) return false;
    if (!names) return std::unexpected(std::move(names).error());
    for (const std::string& name : *names) {
      bool kept = is_acl(name) || (name.starts_with("user.") && !is_internal_xattr(name));
      if (!kept) continue;
      auto value = sys::get_xattr(object, name.c_str());
      if (!value && value.error().code == ENODATA) continue;  // it has just gone
      if (!value) return std::unexpected(std::move(value).error());
      if (!has_xattr(old, shown_xattr(name), *value)) return true;
    }
    return false;
  }

  bool has_xattr(Ino ino, std::string_view name, std::string_view value) const {
    for (uint32_t i = 0; ino != no_ino && i < tree_.xattr_count(ino); ++i) {
      auto [its_name, its_value] = tree_.xattr(ino, i);
      if (its_name == name) return its_value == value;
    }
    return false;
  }

  const store::Tree& tree_;
  const Ownership ownership_;
  std::vector<Change> changes_;
};

}  // namespace

Result<std::vector<Change>> changes(const Fd& upper, const store::Tree& tree, Ownership ownership) {
  Differ differ(tree, ownership);
  TRY(differ.walk(upper, root_ino, root_ino, "", 0));
  return differ.finish();
}

}  // namespace lyr::unionfs
