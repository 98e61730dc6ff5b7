// SPDX-License-Identifier: Apache-2.0
// The union itself, without FUSE: nodes in, results out. Each operation is in a file of its name.
// Thread-safe: one lock guards all metadata; the content of files is read and written outside of
// it, on descriptors that are shared while in use.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "unionfs/acl.h"
#include "unionfs/attribute_use.h"
#include "unionfs/doing.h"
#include "unionfs/kept_times.h"
#include "unionfs/node.h"
#include "unionfs/override_stat.h"
#include "unionfs/patient_mutex.h"
#include "unionfs/unionfs.h"

struct fsxattr;  // of linux/fs.h

namespace lyr::unionfs {

// What a request knows of who made it.
struct Caller {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t umask = 0;  // with ACLs; else the kernel has applied it
};

// How a file is to be opened, or what is to be done to it.
struct Opening {
  bool to_write = false;
  bool appends = false;  // O_APPEND
};

struct Found {
  uint64_t node = 0;
  struct stat attr{};
  bool attr_lasts = true;  // false: the kernel is to ask again, see Union::lose_name
};

// What SETATTR may change; unset: left alone.
struct AttributeChange {
  std::optional<uint32_t> mode, uid, gid;
  std::optional<uint64_t> size;
  std::optional<struct timespec> atime, mtime;  // tv_nsec may be UTIME_NOW
  // When the change was made, where the kernel keeps the times of files itself (writeback).
  std::optional<struct timespec> changed_at;
  bool drop_privileges = false;  // with `size`: as in ContentFlags
  uint32_t caller_gid = 0;       // so too
  bool keep_time = false;        // with `size`, and no `mtime`: so too
  bool is_open = false;          // with `size`: it was opened for writing before
};

// Where a file's bytes are: in a file of the host, or what a lower inode stands for.
struct Content {
  SharedFd file;
  Ino lower = no_ino;
  bool to_read_only = false;  // the file is open for no more
};

class Union {
 public:
  static Result<std::unique_ptr<Union>> open(Options options);
  bool acls() const { return acls_; }             // there are POSIX ACLs
  size_t known() const { return nodes_.size(); }  // inodes, to the kernel

  // The thread (as the kernel numbers it, 0: none) that what the calling thread of ours asks next
  // is asked for.
  static void ask_for(uint32_t asker);
  // Inodes whose attributes the kernel has to ask for again, see doubt() and write(), by what the
  // calling thread asked for since it took them last.
  static std::vector<uint64_t> take_doubted();

  Result<std::optional<Found>> lookup(uint64_t parent, std::string_view name);
  bool forget(uint64_t node, uint64_t count);  // true: it is gone
  Result<Found> getattr(uint64_t node);        // counts no lookup, nor does setattr
  Result<Found> setattr(uint64_t node, AttributeChange change);
  Result<std::string> readlink(uint64_t node);

  // What is made has the mode as it is given, unless there are ACLs: then the umask is the union's.
  Result<Found> mknod(uint64_t parent, std::string_view name, uint32_t mode, dev_t device,
                      Caller caller);
  Result<Found> mkdir(uint64_t parent, std::string_view name, uint32_t mode, Caller caller);
  Result<Found> symlink(uint64_t parent, std::string_view name, const char* target, Caller caller);
  Result<Found> link(uint64_t node, uint64_t parent, std::string_view name);
  Result<Found> tmpfile(uint64_t parent, uint32_t mode, Caller caller);
  Result<> unlink(uint64_t parent, std::string_view name);
  Result<> rmdir(uint64_t parent, std::string_view name);
  Result<> rename(uint64_t parent, std::string_view name, uint64_t new_parent,
                  std::string_view new_name, unsigned flags);

  // A file that is about to be opened, copied up if for writing: the upper's; null: it is the
  // lower's. Of may_open its flags are all that is looked at.
  Result<SharedFd> opened(uint64_t node, Opening opening);
  Result<> may_open(uint64_t node, Opening opening);
  Result<size_t> read(uint64_t node, uint64_t offset, std::span<std::byte> data);
  struct ContentFlags {
    bool drop_privileges = false;  // set-id bits and file capabilities go first
    uint32_t caller_gid = 0;       // with that: of who does it, as it is shown
    bool keep_time = false;        // when the file was modified, the kernel says itself
  };
  Result<size_t> write(uint64_t node, uint64_t offset, std::span<const std::byte> data,
                       ContentFlags flags);
  Result<> fallocate(uint64_t node, int mode, uint64_t offset, uint64_t length, ContentFlags flags);
  Result<uint64_t> seek(uint64_t node, uint64_t offset, int whence);
  struct Range {
    uint64_t node;
    uint64_t offset;
  };
  Result<size_t> copy_range(Range from, Range to, size_t length, ContentFlags flags);
  Result<> fsync(uint64_t node, bool data_only);
  Result<struct statvfs> statfs();

  // Of ACLs, ids are those that are shown.
  Result<std::string> get_xattr(uint64_t node, std::string_view name);
  Result<std::vector<std::string>> list_xattrs(uint64_t node);
  // `drop_group_id`: with an ACL, as the kernel asks, the set-group-id bit goes.
  Result<> set_xattr(uint64_t node, std::string_view name, std::string_view value, int flags,
                     bool drop_group_id);
  Result<> remove_xattr(uint64_t node, std::string_view name);

  // With Options::file_flags, of files and directories: FS_*_FL, or as FS_XFLAG_* with what is kept
  // beside them. That the caller may set them, the kernel sees to. ENOTTY: of anything else.
  Result<uint32_t> file_flags(uint64_t node);
  Result<> set_file_flags(uint64_t node, uint32_t flags);
  Result<struct fsxattr> extended_flags(uint64_t node);
  Result<> set_extended_flags(uint64_t node, struct fsxattr flags);

  struct Entry {
    std::string_view name;
    uint64_t cookie;  // to go on after it
    Found found;      // without attributes: no node, only st_ino and st_mode's type
  };
  // Calls `each` for the entries after `cookie` until it returns false. With `attributes` those
  // with a node count as looked up when `each` took them: all but "." and "..", and but the files
  // that nothing is known of, where those of other listings were not looked at
  // (unionfs/attribute_use.h).
  Result<> readdir(uint64_t node, uint64_t cookie, bool attributes,
                   const std::function<bool(const Entry&)>& each);

 private:
  struct Shown {  // a name as the union shows it
    bool in_upper = false;
    // What the lower has of that name, when the directory merges and nothing hides it.
    uint32_t entry = no_entry;
    Ino lower = no_ino;
  };
  Union(std::unique_ptr<Lower> lower, Upper upper, const Options& options);

  // resume.cpp: what a server that was killed left, made whole.
  Result<> resume();
  Result<> sweep_work();
  Result<> take_held(Node& node, int held);
  Result<> finish(Slot& slot);
  Result<> put_back_time(const Timing& timing);
  Result<> finish_copy(const Copying& copying);
  Result<> finish_create(const Intent& intent);
  Result<> finish_link(Intent& intent, bool& done);
  Result<> finish_remove(const Intent& intent, bool& done);
  Result<> finish_rename(const Intent& intent, bool& done);
  Result<bool> upper_is(Node& directory, std::string_view name, uint64_t upper_ino);
  // What such a server had answered to the request at work: a node, or 0 for no more than success.
  std::optional<uint64_t> answered_before() const;
  Result<Found> answer_again(uint64_t node);

  // Nodes and names; the lock is held in all below.
  Result<Node*> find(uint64_t id);
  Result<Node*> find_directory(uint64_t id);
  Result<std::optional<Shown>> show(Node& directory, std::string_view name);
  Result<Node*> child(Node& directory, std::string_view name);  // null: no such name
  Result<Node*> node_of(Node& directory, std::string_view name, const Shown& shown);
  Result<NodeTable::Inode> describe_upper(Node& directory, std::string_view name,
                                          const Shown& shown);
  Result<bool> is_whiteout(const Fd& directory, const std::string& name);
  Result<> open_root(bool dress);
  Result<> dress_root();
  Result<Ino> lower_by_redirect(const Node& parent, const std::string& redirect);
  static Found describe(Node& node, const struct stat& attr);
  // To be called when names of `directory` changed.
  static void doubt(Node& directory);
  static void doubt_mode(uint64_t node);
  Result<Found> found(Node& node);  // counts a lookup
  bool lower_has(const Node& directory, std::string_view name) const;
  Result<bool> is_empty(Node& directory);

  Result<> load(Node& directory);
  void add_name(Node& directory, std::string_view name, bool whiteout);
  void drop_name(Node& directory, std::string_view name);
  Result<bool> is_opaque(const Fd& directory, const Marks& marks) const;
  Result<> take_whiteout_file(Node& directory, const Fd& fd, const std::string& file);

  // The upper's objects.
  Result<SharedFd> directory_fd(Node& directory);
  Result<SharedFd> object(Node& node);  // may be O_PATH
  // To be read and written. EACCES: it is not `to_write`, and its owner may only read it.
  Result<SharedFd> data_fd(Node& node, bool to_write);
  Result<struct stat> attr(Node& node);
  struct stat shown(const Node& node, struct stat status) const;
  uint32_t visible_links(Node& node);
  Result<Node*> union_directory(Ino lower);
  Result<> find_moved();
  void keep_moved(Node& directory);
  void lose_moved(Node& directory);

  // Copy-up.
  Result<> copy_up(Node& node, bool with_content = true);
  Result<> copy_up_directory(Node& directory);
  Result<> copy_up_removed(Node& directory);
  Result<Temporary> build_copy(Node& node, bool with_content);
  Result<> place_copy(Node& node, Temporary copy, const std::vector<Link>& names);
  Result<> copy_content(Ino from, const Fd& to);
  // metacopy.cpp: files of the upper without their content.
  Result<Ino> content_below(const Node& parent, const Marks& marks, Ino same_name);
  Result<> complete(Node& node);
  // `object`: where that name is a regular file's, which was made just now, it, open; else none.
  Result<> copy_attributes(const Node& node, const char* name, Fd object);
  Result<uint32_t> copy_xattrs(Ino ino, const Fd& object);
  Result<uint32_t> copy_acls(Ino ino, const Fd& object);
  Result<std::optional<std::string>> lower_acl(Ino ino, std::string_view name);
  Result<std::vector<Link>> aliases_of(Node& node);

  // Creation and removal.
  struct Creation {
    Caller caller;
    uint32_t mode = 0;  // with its type
    bool opaque = false;
    struct stat parent{};
    std::string acl;          // its own; empty: the mode says it all
    std::string default_acl;  // its directory's; empty: there is none
  };
  struct Made {
    Fd file;  // of a regular file
    struct stat status{};
    bool no_xattrs = true;
  };
  Result<> inherit(Node& directory, const Fd& fd, Creation& creation) const;
  Result<> set_acls(const Fd& object, const Creation& creation) const;
  Result<struct stat> dress(const Fd& where, const char* name, const Fd& file,
                            const Creation& creation);
  template <class Make>
  Result<Made> make_dressed(const Fd& where, const char* name, const Creation& creation, Make make);
  template <class Make>
  Result<Made> make_over(const Fd& directory, const char* name, const Creation& creation,
                         bool over_whiteout, Make make);
  Node& adopt(Made made);
  template <class Make>
  Result<Found> create(uint64_t parent, std::string_view name, Caller caller, uint32_t mode,
                       Make make);
  Result<> check_new_name(std::string_view name) const;
  Result<Caller> on_disk(Caller caller) const;
  Result<> hold(Node& node);
  Result<> hold_directory(Node& node);
  void lose_name(Node& node, Node& directory, std::string_view name);
  Result<> remove_upper(Node& directory, std::string_view name, bool is_directory);
  Result<> put_whiteout(Node& directory, std::string_view name);
  // A directory that merges needs a redirect.
  bool may_move(const Node& node) const {
    return redirects_ || node.type != S_IFDIR || node.lower == no_ino;
  }
  Result<> prepare_move(Node& node, Node& to, std::string_view name);
  Result<> exchange(Node& from, std::string_view name, Node& to, std::string_view new_name);
  Result<> move(Node& from, std::string_view name, Node& to, std::string_view new_name, Node& node,
                Node* target);
  Result<> move_then_hide(const Fd& from, const char* name, const Fd& to, const char* new_name);
  Result<Content> content(Node& node, bool to_write);
  Result<Content> locate(uint64_t id, bool to_write);  // takes the lock

  struct Place {
    SharedFd open;  // null: by the name
    SharedFd kept;  // the object that the name, a link, leads to
    SharedFd directory;
    std::string name;
    bool follow = false;  // the name is a link to the object
    int flags() const { return follow ? 0 : AT_SYMLINK_NOFOLLOW; }
  };
  Result<Place> place(Node& node);
  Result<struct stat> stat_at(const Place& place) const;
  PatientMutex& time_mutex(uint64_t node) { return kept_times_.mutex(node); }
  // True: there were some of its mode.
  Result<bool> drop_privilege_bits(const Fd& file, uint32_t caller_gid);
  template <class Change>
  Result<> change_content(uint64_t id, const Fd& file, ContentFlags flags, Change change);
  template <class Change>
  Result<> keeping_time(uint64_t id, const Fd& file, Change change);
  Result<> truncate_keeping_time(uint64_t id, const Fd& file, uint64_t size);
  Result<struct timespec> time_to_keep(uint64_t id, const Fd& file);
  void keep_set_time(uint64_t id, const AttributeChange& set);
  static Result<> drop_capabilities(const Fd& file);
  // As the kernel does when it writes an inode back.
  static bool tells_time(const AttributeChange& change) {
    bool only_time = !change.mode && !change.uid && !change.gid && !change.size && !change.atime;
    return change.mtime && change.changed_at && only_time;
  }
  static bool comes_late(const Node& node, const AttributeChange& change);
  bool hides(std::string_view xattr) const;
  Result<> erase_invalid_acls(Ino ino, std::vector<std::string>& names);
  Result<std::string> visible_acl(std::string_view on_disk) const;
  Result<> without_group_id(Node& node);
  Result<> change_owner(const Place& place, const AttributeChange& change) const;
  static Result<> change_mode(const Place& place, uint32_t mode);

  // op_flags.cpp: file flags. EPERM: a flag forbids it.
  Result<> learn_flags(Node& node);
  Result<> may_write(Node& file, bool appends);
  Result<> may_change(Node& node);  // its attributes, and that it has the names it has
  Result<> may_set(Node& node, const AttributeChange& change);
  Result<> may_add(Node& directory);
  Result<> may_remove(Node& directory, Node& node);
  Result<> may_allocate(uint64_t id, int mode);
  Result<uint32_t> shown_flags(Node& node);
  Result<Fd> flagged_object(Node& node);
  Result<> protect(Node& node, bool immutable, bool append_only);
  Result<> copy_flags(Ino ino, const Fd& object);

  // overridden.cpp: owner and mode where an attribute has them.
  Result<struct stat> stat_of(const Fd& object) const;
  static Result<SharedFd> object_at(const Place& place);
  Result<> override_root();
  Result<> override_new(const Fd& where, const char* name, const Fd& object,
                        const struct stat& wanted) const;
  Result<> change_overridden(const Place& place, const AttributeChange& change) const;
  static Result<> change_times(const Place& place, const AttributeChange& change);

  std::unique_ptr<Lower> lower_;
  Upper upper_;
  Ownership ownership_;
  OverrideStat override_;  // of Ownership::overridden
  bool durable_;
  bool kernel_tells_times_;
  bool redirects_;
  bool whiteout_files_;
  bool static_links_;
  bool file_flags_;
  bool privileged_;
  bool acls_;
  MappedIds mapped_ids_;  // with ACLs
  Ids ids_;
  Ledger* ledger_;         // null: there will be no successor
  SharedFd proc_fds_;      // /proc/self/fd
  std::vector<int> cpus_;  // that the process may run on
  // Of files whose content changes. What takes bits of a file's mode or sets its time takes turns
  // by its mutexes, which come before mutex_, as that may take long.
  KeptTimes kept_times_;
  PatientMutex mutex_;  // guards all below
  AttributeUse attribute_use_;
  NodeTable nodes_;
  std::vector<std::pair<uint64_t, bool>>
      open_fds_;                   // node ids with a cached descriptor, oldest first; true: data
  std::deque<uint64_t> unsynced_;  // ids of files written to since somebody called fsync
  size_t held_count_ = 0;
  std::unordered_map<Ino, Node*> moved_;  // merged directories that were renamed, by the lower's
  bool moved_known_ = false;              // those of earlier mounts are in it too
  void remember_fd(Node& node, bool data);
  void note_unsynced(Node& node);
  std::vector<SharedFd> take_unsynced();
  // In `freed` of NodeTable::forget.
  void let_go(Node& node);
};

}  // namespace lyr::unionfs
