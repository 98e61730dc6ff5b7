// SPDX-License-Identifier: Apache-2.0
// docker diff's list, from the upper directory alone: in O(changes), whatever the size of the
// image.
#include "unionfs/changes.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/sys_file.h"
#include "unionfs/format.h"
#include "unionfs/lower.h"
#include "unionfs/upper.h"

namespace lyr::unionfs {
namespace {

constexpr int depth_max = 1024;

class Differ {
 public:
  explicit Differ(const store::Tree& tree) : tree_(tree) {}

  // `from`: the lower directory that is merged with it; `shown_in`: the lower one of the same path.
  Result<> walk(const Fd& upper, Ino from, Ino shown_in, const std::string& path, int depth) {
    if (depth > depth_max) return fail(ELOOP, "diff");
    auto marks = TRY(read_marks(upper));
    std::vector<std::string> names;
    auto take = [&](const sys::DirectoryEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    };
    TRY(sys::read_directory(upper, take));
    for (const std::string& name : names)
      TRY(visit(upper, name, from, shown_in, path + "/" + name, depth));
    if (!marks.opaque && from == shown_in) return {};
    // What the image has here and the union has not, without a whiteout of its own.
    for (uint32_t i = 0; shown_in != no_ino && i < tree_.entry_count(shown_in); ++i) {
      std::string name(tree_.entry(shown_in, i).name);
      bool above = std::ranges::find(names, name) != names.end();
      bool below = !marks.opaque && from != no_ino && tree_.lookup(from, name) != no_ino;
      if (!above && !below) add(ChangeKind::deleted, path + "/" + name);
    }
    for (uint32_t i = 0; from != no_ino && from != shown_in && i < tree_.entry_count(from); ++i) {
      std::string name(tree_.entry(from, i).name);
      if (std::ranges::find(names, name) == names.end())
        add_lower(tree_.entry(from, i).ino, path + "/" + name, depth);
    }
    return {};
  }

  std::vector<Change> finish() {
    std::ranges::sort(changes_, {}, &Change::path);
    return std::move(changes_);
  }

  void add(ChangeKind kind, std::string path, uint64_t links_as = 0) {
    changes_.push_back({kind, std::move(path), links_as});
  }

 private:
  Result<> visit(const Fd& directory, const std::string& name, Ino from, Ino shown_in,
                 const std::string& path, int depth) {
    auto status = TRY(sys::stat_at(directory, name.c_str()));
    Ino old = shown_in == no_ino ? no_ino : tree_.lookup(shown_in, name);
    Fd object = TRY(sys::open_at(directory, name.c_str(), O_PATH | O_NOFOLLOW));
    Marks marks;
    if (!S_ISLNK(status.st_mode)) marks = TRY(read_marks(object));
    if (is_device_whiteout(status) || (marks.whiteout && S_ISREG(status.st_mode))) {
      if (old != no_ino) add(ChangeKind::deleted, path);
      return {};
    }
    bool is_directory = S_ISDIR(status.st_mode);
    uint64_t links_as = !is_directory && status.st_nlink > 1 ? status.st_ino : 0;
    add(old == no_ino ? ChangeKind::added : ChangeKind::changed, path, links_as);
    if (!is_directory) return {};
    Ino old_directory = old != no_ino && S_ISDIR(tree_.attr(old).mode) ? old : no_ino;
    Ino below = no_ino;
    if (marks.redirect.starts_with('/')) {
      below = store::resolve(tree_, marks.redirect, false);
    } else if (!marks.redirect.empty()) {  // it was beside, where its parent is from
      below = from == no_ino ? no_ino : tree_.lookup(from, marks.redirect);
    } else if (!marks.opaque && from != no_ino) {
      below = tree_.lookup(from, name);
    }
    if (below != no_ino && !S_ISDIR(tree_.attr(below).mode)) below = no_ino;
    Fd inside = TRY(sys::open_at(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return walk(inside, below, old_directory, path, depth + 1);
  }

  // A part of the image that a moved directory brought to a new place.
  void add_lower(Ino ino, const std::string& path, int depth) {
    auto attr = tree_.attr(ino);
    bool is_directory = S_ISDIR(attr.mode);
    // No number of the upper's file system.
    add(ChangeKind::added, path, !is_directory && attr.nlink > 1 ? ~uint64_t{ino} : 0);
    if (!is_directory || depth > depth_max) return;
    for (uint32_t i = 0; i < tree_.entry_count(ino); ++i) {
      add_lower(tree_.entry(ino, i).ino, path + "/" + std::string(tree_.entry(ino, i).name),
                depth + 1);
    }
  }

  const store::Tree& tree_;
  std::vector<Change> changes_;
};

}  // namespace

Result<std::vector<Change>> changes(const Fd& upper, const store::Tree& tree) {
  Differ differ(tree);
  TRY(differ.walk(upper, root_ino, root_ino, "", 0));
  return differ.finish();
}

}  // namespace lyr::unionfs
