// SPDX-License-Identifier: Apache-2.0
// How names are found: the upper side of a directory is in memory once it was touched, the lower
// side is a hash probe.
#include "unionfs/union.h"

#include <dirent.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "unionfs/layer.h"
#include "unionfs/owner_access.h"

namespace lyr::unionfs {
namespace {

// A directory's "preferred size" is what C libraries take for the buffer of a listing, and the
// kernel passes that on: with room for all entries, one READDIRPLUS is enough.
blksize_t listing_bytes(size_t entries) {
  constexpr size_t entry_bytes = 192;  // of READDIRPLUS, with a name of up to 40
  return static_cast<blksize_t>(
      std::clamp<size_t>(std::bit_ceil((entries + 2) * entry_bytes), 4096, 1 << 20));
}

// Of the thread that runs; see Union::ask_for and doubt.
thread_local uint32_t asker = 0;
thread_local std::vector<uint64_t> doubted;
constexpr uint32_t told_s = 10;  // how long an answer may take to reach who asked

bool has_settled(Node& node) {
  if (node.doubtful_until_s == 0) return true;
  if (node.is_doubtful()) return false;
  node.doubtful_until_s = 0;
  return true;
}

}  // namespace

Union::Union(std::unique_ptr<Lower> lower, Upper upper, const Options& options)
    : lower_(std::move(lower)),
      upper_(std::move(upper)),
      ownership_(options.ownership),
      override_(options.ownership != Ownership::overridden ? OverrideStat()
                : options.security_stat                    ? OverrideStat(security_stat_name)
                                                           : OverrideStat(user_stat_name)),
      durable_(options.durable),
      kernel_tells_times_(options.kernel_tells_times),
      redirects_(options.redirects),
      whiteout_files_(options.whiteout_files),
      static_links_(options.static_links),
      file_flags_(options.file_flags),
      privileged_(options.privileged),
      acls_(options.acls.has_value() && options.xattrs && options.ownership == Ownership::real &&
            !options.ids.squashed()),
      mapped_ids_(options.acls.value_or(MappedIds())),
      ids_(options.ids),
      ledger_(options.ledger),
      nodes_(*lower_) {}

Result<std::unique_ptr<Union>> Union::open(Options options) {
  bool resumes = options.ledger != nullptr && options.ledger->resumed();
  Upper upper;
  if (options.upper.valid())
    upper = TRY(Upper::open(std::move(options.upper), std::move(options.work),
                            options.trusted_xattrs, resumes));
  std::unique_ptr<Union> made(new Union(std::move(options.lower), std::move(upper), options));
  Fd fds = TRY(sys::open("/proc/self/fd", O_PATH | O_DIRECTORY));
  made->proc_fds_ = std::make_shared<const Fd>(std::move(fds));
  auto cpus = sys::cpus_allowed();
  if (cpus) made->cpus_ = std::move(*cpus);
  TRY(made->open_root(options.dress_root));
  if (options.ledger != nullptr) made->nodes_.keep(*options.ledger);
  if (resumes) TRY(made->resume());
  return made;
}

Result<> Union::open_root(bool dress) {
  Node& root = nodes_.root();
  if (!upper_.present()) return {};
  root.in_upper = true;
  root.make_more().ino = lower_->number(root_ino);
  auto marks = TRY(read_own_marks(*upper_.root()));
  bool opaque = TRY(is_opaque(*upper_.root(), marks));
  if (opaque) root.lower = no_ino;
  if (override_.present()) TRY(override_root());
  if (dress && marks.lower_number == 0) TRY(dress_root());
  return {};
}

// A new upper directory looks like the image's root.
Result<> Union::dress_root() {
  struct stat attr = lower_->status(root_ino);
  const Fd& root = *upper_.root();
  TRY(remove_acls(root));  // those that it got of the directory it was made in
  if (ownership_ == Ownership::real) TRY(sys::chown_at(root, ".", attr.st_uid, attr.st_gid));
  if (override_.present()) {
    TRY(override_new(root, ".", root, attr));
  } else {
    TRY(sys::chmod_at(root, ".", attr.st_mode & 07777));
    uint32_t mode = TRY(copy_acls(root_ino, root));
    if (mode != attr.st_mode) TRY(sys::chmod_at(root, ".", mode & 07777));
  }
  TRY(upper_.note_number(root, attr.st_ino));
  struct timespec times[2] = {attr.st_mtim, attr.st_mtim};
  return sys::utimens_at(root, ".", times);
}

Result<Node*> Union::find(uint64_t id) {
  Node* node = nodes_.find(id);
  if (node == nullptr) return fail(ESTALE, "node");
  return node;
}

Result<Node*> Union::find_directory(uint64_t id) {
  Node* node = TRY(find(id));
  if (node->type != S_IFDIR) return fail(ENOTDIR, "node");
  return node;
}

Result<> Union::load(Node& directory) {
  if (directory.loaded) return {};
  if (directory.lower != no_ino) TRY(lower_->load(directory.lower));
  if (directory.in_upper) {
    auto fd = TRY(directory_fd(directory));
    auto marks = TRY(read_own_marks(*fd));
    std::vector<std::string> maybe_whiteouts;
    std::vector<std::string> whiteout_files;
    auto take = [&](const sys::DirectoryEntry& entry) {
      if (whiteout_files_ && entry.name.starts_with(whiteout_file_prefix)) {
        whiteout_files.emplace_back(entry.name);
        return true;
      }
      add_name(directory, entry.name, false);
      bool may_be = entry.type == DT_CHR || entry.type == DT_UNKNOWN ||
                    (marks.file_whiteouts && entry.type == DT_REG);
      if (may_be) maybe_whiteouts.emplace_back(entry.name);
      return true;
    };
    TRY(as_owner(*fd, S_IRUSR | S_IXUSR, [&] { return sys::read_directory(*fd, take); }));
    for (const std::string& name : maybe_whiteouts) {
      auto look = [&] { return is_whiteout(*fd, name); };
      bool whiteout = TRY(as_owner(*fd, S_IXUSR, look));
      if (whiteout) add_name(directory, name, true);
    }
    for (const std::string& file : whiteout_files) TRY(take_whiteout_file(directory, *fd, file));
  }
  directory.loaded = true;
  return {};
}

Result<bool> Union::is_whiteout(const Fd& directory, const std::string& name) {
  auto status = TRY(sys::stat_at(directory, name.c_str()));
  if (is_device_whiteout(status)) return true;
  if (!S_ISREG(status.st_mode) || status.st_size != 0) return false;
  Fd file = TRY(sys::open_at(directory, name.c_str(), O_PATH | O_NOFOLLOW));
  auto marks = TRY(read_own_marks(file));
  return marks.whiteout;
}

// The cookie of a name is a hash of it: a listing finds its place again in a server that came later
// and read the names anew. (Of names that collide, one may be listed twice then, or missed.)
void Union::add_name(Node& directory, std::string_view name, bool whiteout) {
  auto& upper = directory.make_more().names;
  if (upper == nullptr) upper = std::make_unique<UpperNames>();
  auto [found, fresh] = upper->names.try_emplace(std::string(name));
  found->second.whiteout = whiteout;
  if (!fresh) return;
  uint64_t cookie = StringHash()(name) >> 2;  // with upper_cookie_base below 2^63
  while (cookie == 0 || upper->order.contains(cookie)) ++cookie;
  found->second.cookie = cookie;
  upper->order.emplace(found->second.cookie, std::string(name));
}

void Union::drop_name(Node& directory, std::string_view name) {
  auto& upper = directory.make_more().names;
  if (upper == nullptr) return;
  auto found = upper->names.find(name);
  if (found == upper->names.end()) return;
  upper->order.erase(found->second.cookie);
  upper->names.erase(found);
}

bool Union::lower_has(const Node& directory, std::string_view name) const {
  return directory.lower != no_ino && lower_->has(directory.lower, name);
}

Result<std::optional<Union::Shown>> Union::show(Node& directory, std::string_view name) {
  TRY(load(directory));
  Shown shown;
  const UpperName* above = directory.above(name);
  if (above != nullptr && above->whiteout) return std::nullopt;
  shown.in_upper = above != nullptr;
  if (directory.lower != no_ino) shown.entry = lower_->find(directory.lower, name);
  if (!shown.in_upper && shown.entry == no_entry) return std::nullopt;
  if (shown.entry != no_entry) shown.lower = TRY(lower_->entry_ino(directory.lower, shown.entry));
  return shown;
}

Result<Node*> Union::child(Node& directory, std::string_view name) {
  Node* known = nodes_.child(directory, name);
  if (known != nullptr) return known;
  auto shown = TRY(show(directory, name));
  if (!shown) return nullptr;
  return node_of(directory, name, *shown);
}

// What the upper object says of itself.
Result<NodeTable::Inode> Union::describe_upper(Node& directory, std::string_view name,
                                               const Shown& shown) {
  auto fd = TRY(directory_fd(directory));
  std::string text(name);
  Fd object = TRY(open_own(*fd, text.c_str(), O_PATH | O_NOFOLLOW));
  auto status = TRY(sys::stat(object));
  bool may_be_marked = !S_ISLNK(status.st_mode) || upper_.format().trusted;
  auto marks = may_be_marked ? read_own_marks(object) : Result<Marks>(Marks{});
  if (!marks) return std::unexpected(std::move(marks).error());
  NodeTable::Inode fresh;
  fresh.in_upper = true;
  fresh.no_xattrs = may_be_marked && !marks->others;
  if (file_flags_) {
    uint32_t flags = TRY(protection_of(object));
    fresh.no_flags = !marks->protection && flags == 0;
  }
  fresh.type = status.st_mode & S_IFMT;
  fresh.upper_ino = status.st_ino;
  fresh.ino = lower_->upper_number(status.st_dev, status.st_ino);
  if (fresh.type == S_IFDIR) {
    bool opaque = TRY(is_opaque(object, *marks));
    if (!marks->redirect.empty()) {
      fresh.lower = TRY(lower_by_redirect(directory, marks->redirect));
    } else if (!opaque) {
      fresh.lower = shown.lower;
    }
    if (fresh.lower != no_ino && lower_->type(fresh.lower) != S_IFDIR) fresh.lower = no_ino;
    if (fresh.lower != no_ino) fresh.ino = lower_->number(fresh.lower);
  } else if ((marks->number_of == 0 || marks->number_of == status.st_ino) &&
             lower_->may_be(marks->lower_number, fresh.type)) {
    fresh.ino = marks->lower_number;
  }
  if (fresh.type == S_IFREG && marks->metacopy)
    fresh.content_from = TRY(content_below(directory, *marks, shown.lower));
  return fresh;
}

// Absolute from the lower's root, or a name beside where the directory came from.
Result<Ino> Union::lower_by_redirect(const Node& parent, const std::string& redirect) {
  if (redirect.starts_with('/')) return lower_directory_at(*lower_, redirect);
  if (parent.lower == no_ino) return no_ino;
  return lower_->lookup(parent.lower, redirect);
}

Result<Node*> Union::node_of(Node& directory, std::string_view name, const Shown& shown) {
  NodeTable::Inode fresh;
  if (shown.in_upper) {
    fresh = TRY(describe_upper(directory, name, shown));
  } else {
    fresh.lower = shown.lower;
    fresh.type = lower_->type(shown.lower);
  }
  Node* node = nullptr;
  if (fresh.type != S_IFDIR)
    node = fresh.in_upper ? nodes_.by_upper(fresh.upper_ino) : nodes_.by_lower(fresh.lower);
  if (node == nullptr) node = &nodes_.make(fresh);
  nodes_.link(*node, directory, name, shown.entry);
  return node;
}

Result<struct stat> Union::attr(Node& node) {
  if (node.in_upper && node.more().held) return shown(node, TRY(stat_of(*node.more().held)));
  if (node.in_upper) {
    auto where = TRY(place(node));
    return shown(node, TRY(stat_at(where)));
  }
  struct stat status = lower_->status(node.lower);
  bool removed = !node.has_name() && node.id != root_id;
  if (node.type == S_IFDIR || status.st_nlink <= 1) {
    if (removed) status.st_nlink = 0;
  } else if (lower_->knows_aliases(node.lower)) {
    status.st_nlink = visible_links(node);
  } else {
    status.st_nlink -= std::min<nlink_t>(status.st_nlink, node.more().names_lost);
  }
  return shown(node, status);
}

// What the union says of an object that has this status itself.
struct stat Union::shown(const Node& node, struct stat status) const {
  bool merged = node.in_upper && node.type == S_IFDIR && node.lower != no_ino;
  if (merged && status.st_nlink > 0) status.st_nlink = 1;
  if (node.orphan) status.st_nlink -= 1;
  if (node.more().content_from) status.st_blocks = blocks_of(status.st_size);
  status.st_uid = ids_.shown_user(status.st_uid);
  status.st_gid = ids_.shown_group(status.st_gid);
  if (ownership_ == Ownership::in_xattr) status.st_uid = status.st_gid = 0;
  status.st_ino = nodes_.ino(node);
  if (node.type == S_IFDIR) {
    const UpperNames* upper = node.more().names.get();
    size_t entries = upper == nullptr ? 0 : upper->names.size();
    if (node.lower != no_ino) entries += lower_->entries_expected(node.lower);
    status.st_blksize = listing_bytes(entries);
    if (static_links_) status.st_nlink = 1;
  }
  return status;
}

void Union::ask_for(uint32_t thread) { asker = thread; }

std::vector<uint64_t> Union::take_doubted() { return std::exchange(doubted, {}); }

// The kernel forgets a directory's attributes when it hears that a name in it was changed, but
// takes an answer with older ones that it hears of after that (Linux 6.18: fuse_dir_changed leaves
// attr_version alone), and keeps those without end. That is so when one thread asks and another
// changes: then the kernel is told to forget once more, which older answers do not outlive.
void Union::doubt(Node& directory) {
  if (directory.told_to == 0) return;
  if (directory.told_to != asker && directory.is_doubtful()) doubted.push_back(directory.id);
  directory.told_to = 0;
}

// After a write it forgets size and times only, and goes by the old mode when it executes the file.
void Union::doubt_mode(uint64_t node) { doubted.push_back(node); }

Found Union::describe(Node& node, const struct stat& attr) {
  bool lasts = node.type == S_IFDIR || has_settled(node);
  if (node.type == S_IFDIR) {
    bool others = node.told_to != 0 && node.told_to != asker;
    // Who has no number here (a process outside of the container) may be anybody.
    node.told_to = others || asker == 0 ? several_askers : asker;
    node.doubt_for(told_s);
  }
  return {.node = node.id, .attr = attr, .attr_lasts = lasts};
}

Result<Found> Union::found(Node& node) {
  Found found = describe(node, TRY(attr(node)));
  nodes_.count(node);
  return found;
}

Result<std::optional<Found>> Union::lookup(uint64_t parent, std::string_view name) {
  if (name.size() > NAME_MAX) return fail(ENAMETOOLONG, "lookup");
  std::scoped_lock lock(mutex_);
  Node* directory = TRY(find_directory(parent));
  Node* node = TRY(child(*directory, name));
  if (node == nullptr) return std::nullopt;
  if (node->type != S_IFDIR) attribute_use_.looked_up(parent);
  return TRY(found(*node));
}

bool Union::forget(uint64_t id, uint64_t count) {
  std::scoped_lock lock(mutex_);
  nodes_.forget(id, count, [this](Node& node) { let_go(node); });
  return nodes_.find(id) == nullptr;
}

void Union::let_go(Node& node) {
  if (node.more().held && node.type != S_IFDIR) --held_count_;
  if (!node.orphan) return;
  static_cast<void>(sys::unlink_at(*upper_.work(), Upper::orphan_name(node.id).c_str()));
}

Result<Found> Union::getattr(uint64_t id) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  return describe(*node, TRY(attr(*node)));
}

Result<std::string> Union::readlink(uint64_t id) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (node->type != S_IFLNK) return fail(EINVAL, "readlink");
  if (!node->in_upper) return lower_->symlink_target(node->lower);
  auto fd = TRY(object(*node));
  return sys::readlink_at(*fd, "");
}

Result<bool> Union::is_empty(Node& directory) {
  TRY(load(directory));
  if (const UpperNames* upper = directory.more().names.get()) {
    for (const auto& [name, state] : upper->names) {
      if (!state.whiteout) return false;
    }
  }
  if (directory.lower == no_ino) return true;
  for (uint32_t i = 0; i < lower_->entry_count(directory.lower); ++i) {
    if (directory.above(lower_->entry_name(directory.lower, i)) == nullptr) return false;
  }
  return true;
}

Result<struct statvfs> Union::statfs() {
  return upper_.present() ? sys::stat_vfs(*upper_.root()) : lower_->statfs();
}

}  // namespace lyr::unionfs
