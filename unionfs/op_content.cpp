// SPDX-License-Identifier: Apache-2.0
// What is done to a file's bytes. The lock is held only to find out where they are.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

constexpr size_t copy_range_bytes = 256 << 10;
constexpr size_t copy_range_max = 16 << 20;  // what one request copies while its time is kept
constexpr size_t unsynced_max = 384;         // as many as have a descriptor

// Of what comes with a change of bytes: whoever may write to a file may not set its mode and times,
// if it is not his. The kernel takes set-id bits away itself then.
Result<> unless_forbidden(Result<> done) {
  return !done && done.error().code == EPERM ? Result<>() : std::move(done);
}

}  // namespace

// Bits that a change of content by another takes away (HANDLE_KILLPRIV_V2 leaves it to us). Where
// the group may not execute the file, set-group-id stays for its members (Linux 6.2). All that is
// known of who changes it is one of his groups.
Result<bool> Union::drop_privilege_bits(const Fd& file, uint32_t caller_gid) {
  auto status = TRY(stat_of(file));
  uint32_t mode = status.st_mode & 07777;
  uint32_t without = mode & ~uint32_t{S_ISUID};
  bool member = ids_.shown_group(status.st_gid) == caller_gid;
  if ((mode & S_IXGRP) != 0 || !member) without &= ~uint32_t{S_ISGID};
  if (without != mode && override_.present()) {
    status.st_mode = S_IFREG | without;
    TRY(override_.write(file, status));
  } else if (without != mode) {
    TRY(unless_forbidden(sys::chmod(file, without)));
  }
  TRY(drop_capabilities(file));
  return without != mode;
}

Result<> Union::drop_capabilities(const Fd& file) {
  auto removed = sys::remove_xattr(file, "security.capability");
  // Where that is not permitted the kernel takes them away itself when the file changes.
  bool none = !removed && (removed.error().code == ENODATA || removed.error().code == EOPNOTSUPP ||
                           removed.error().code == EPERM);
  return none ? Result<>() : std::move(removed);
}

Result<Content> Union::content(Node& node, bool to_write) {
  if (node.type != S_IFREG) return fail(node.type == S_IFDIR ? EISDIR : EINVAL, "content");
  if (to_write) TRY(copy_up(node));
  Content content;
  if (node.in_upper) {
    auto file = data_fd(node, to_write);
    // Immutable by its own flags, or not for its owner to write: it can still be read.
    content.to_read_only =
        !file && !to_write && (file.error().code == EPERM || file.error().code == EACCES);
    if (content.to_read_only) {
      auto found = TRY(object(node));
      Fd fd = TRY(as_owner(*found, S_IRUSR, [&] { return sys::reopen(*found, O_RDONLY); }));
      file = std::make_shared<const Fd>(std::move(fd));
    }
    content.file = TRY(std::move(file));
  } else {
    content.file = TRY(lower_->file(node.lower));
    content.lower = node.lower;
  }
  return content;
}

Result<Content> Union::locate(uint64_t id, bool to_write) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (to_write && !node->unsynced) note_unsynced(*node);
  return content(*node, to_write);
}

Result<SharedFd> Union::opened(uint64_t id, Opening opening) {
  TRY(may_open(id, opening));
  auto found = TRY(locate(id, opening.to_write));
  return found.lower == no_ino && !found.to_read_only ? found.file : nullptr;
}

void Union::note_unsynced(Node& node) {
  if (unsynced_.size() == unsynced_max) {
    Node* oldest = nodes_.find(unsynced_.front());
    if (oldest != nullptr) oldest->unsynced = false;
    unsynced_.pop_front();
  }
  node.unsynced = true;
  unsynced_.push_back(node.id);
}

Result<size_t> Union::read(uint64_t id, uint64_t offset, std::span<std::byte> data) {
  auto from = TRY(locate(id, false));
  if (!from.file) return lower_->read(from.lower, offset, data);
  size_t done = 0;
  while (done < data.size()) {
    size_t got = TRY(sys::pread(*from.file, data.subspan(done), offset + done));
    if (got == 0) break;
    done += got;
  }
  return done;
}

// The time that a file is to have after a change of which the kernel tells the time, before it or
// after it. Where that may never come it is now, if what was told last is not of just before: by
// close and fsync it comes in any case, and is the right one.
Result<struct timespec> Union::time_to_keep(uint64_t id, const Fd& file) {
  constexpr int64_t second = 1'000'000'000;
  auto before = TRY(sys::stat(file));
  int64_t now = sys::now_unix_ns();
  bool is_right = kernel_tells_times_ || before.st_mtim.tv_sec + 1 >= now / second ||
                  kept_times_.was_told(id, sys::now_monotonic_ms());
  return is_right ? before.st_mtim : timespec{now / second, now % second};
}

// `change` changes the file's modification time, which it has again after that.
template <class Change>
Result<> Union::keeping_time(uint64_t id, const Fd& file, Change change) {
  std::optional<KeptTime> in_ledger;  // begins and ends with the lock
  {
    std::scoped_lock lock(time_mutex(id));
    auto* kept = kept_times_.find(id);
    if (kept == nullptr) {
      auto time = TRY(time_to_keep(id, file));
      kept = kept_times_.add(id, time);
    }
    ++kept->changes;
    in_ledger.emplace(ledger_, id, kept->time);
  }
  auto changed = change();
  std::scoped_lock lock(time_mutex(id));
  auto* kept = kept_times_.find(id);
  Result<> put_back;
  if (--kept->changes == 0) {
    struct timespec times[2] = {{0, UTIME_OMIT}, kept->time};
    kept_times_.erase(id);
    put_back = unless_forbidden(sys::utimens(file, times));
  }
  in_ledger.reset();
  TRY(std::move(put_back));
  return changed;
}

// With its time_mutex.
Result<> Union::truncate_keeping_time(uint64_t id, const Fd& file, uint64_t size) {
  auto before = TRY(sys::stat(file));
  auto* kept = kept_times_.find(id);
  struct timespec times[2] = {{0, UTIME_OMIT}, kept != nullptr ? kept->time : before.st_mtim};
  KeptTime in_ledger(ledger_, id, times[1]);
  TRY(sys::truncate(file, size));
  return unless_forbidden(sys::utimens(file, times));
}

// With its time_mutex: what was set is what changes under way have to keep.
void Union::keep_set_time(uint64_t id, const AttributeChange& set) {
  if (!kernel_tells_times_ && tells_time(set)) kept_times_.tell(id, sys::now_monotonic_ms());
  auto* kept = kept_times_.find(id);
  if (kept == nullptr || !set.mtime) return;
  kept->time = *set.mtime;
  if (kept->time.tv_nsec == UTIME_NOW) {
    constexpr int64_t second = 1'000'000'000;
    int64_t now = sys::now_unix_ns();
    kept->time = {now / second, now % second};
  }
  KeptTime::change(ledger_, id, kept->time);
}

// `change` changes the file's content.
template <class Change>
Result<> Union::change_content(uint64_t id, const Fd& file, ContentFlags flags, Change change) {
  if (flags.drop_privileges) {
    std::scoped_lock lock(time_mutex(id));
    bool dropped = TRY(drop_privilege_bits(file, flags.caller_gid));
    if (dropped) doubt_mode(id);
  }
  if (!flags.keep_time) return change();
  return keeping_time(id, file, std::move(change));
}

Result<size_t> Union::write(uint64_t id, uint64_t offset, std::span<const std::byte> data,
                            ContentFlags flags) {
  auto to = TRY(locate(id, true));
  TRY(change_content(id, *to.file, flags, [&] { return sys::pwrite_all(*to.file, data, offset); }));
  return data.size();
}

Result<> Union::fallocate(uint64_t id, int mode, uint64_t offset, uint64_t length,
                          ContentFlags flags) {
  TRY(may_allocate(id, mode));
  auto to = TRY(locate(id, true));
  return change_content(id, *to.file, flags,
                        [&] { return sys::fallocate(*to.file, mode, offset, length); });
}

Result<uint64_t> Union::seek(uint64_t id, uint64_t offset, int whence) {
  auto in = TRY(locate(id, false));
  if (in.file) return sys::seek(*in.file, offset, whence);
  auto size = static_cast<uint64_t>(lower_->status(in.lower).st_size);
  if (offset >= size) return fail(ENXIO, "lseek");
  if (whence == SEEK_HOLE) return std::min(lower_->next_hole(in.lower, offset), size);
  uint64_t data = lower_->next_data(in.lower, offset);
  return data >= size ? Result<uint64_t>(fail(ENXIO, "lseek")) : Result<uint64_t>(data);
}

Result<size_t> Union::copy_range(Range from, Range to, size_t length, ContentFlags flags) {
  TRY(may_open(to.node, {.to_write = true, .appends = true}));
  auto source = TRY(locate(from.node, false));
  auto target = TRY(locate(to.node, true));
  length = std::min(length, copy_range_max);
  size_t done = 0;
  auto copy = [&]() -> Result<> {
    if (source.file) {
      done = TRY(sys::copy_file_range(*source.file, from.offset, *target.file, to.offset, length));
      return {};
    }
    std::vector<std::byte> buffer(std::min(length, copy_range_bytes));
    while (done < length) {
      auto piece = std::span(buffer).first(std::min(buffer.size(), length - done));
      size_t got = TRY(lower_->read(source.lower, from.offset + done, piece));
      if (got == 0) break;
      TRY(sys::pwrite_all(*target.file, piece.first(got), to.offset + done));
      done += got;
    }
    return {};
  };
  TRY(change_content(to.node, *target.file, flags, copy));
  return done;
}

// Of those that are open still.
std::vector<SharedFd> Union::take_unsynced() {
  std::vector<SharedFd> files;
  for (uint64_t id : unsynced_) {
    Node* node = nodes_.find(id);
    if (node == nullptr) continue;
    node->unsynced = false;
    if (node->more().data) files.push_back(node->more().data);
  }
  unsynced_.clear();
  return files;
}

// Who writes many files and then has them put on disk asks so for one after the other. Where their
// content is on its way when the first one is, what the file system writes down for that has them
// all, and there is little left to do for the others.
Result<> Union::fsync(uint64_t id, bool data_only) {
  SharedFd fd;
  std::vector<SharedFd> others;
  {
    std::scoped_lock lock(mutex_);
    Node* node = TRY(find(id));
    if (!node->in_upper) return {};  // the lower is durable already
    if (node->unsynced) others = take_unsynced();
    if (node->type == S_IFDIR) {
      fd = TRY(directory_fd(*node));
    } else {
      auto found = TRY(content(*node, false));
      fd = std::move(found.file);
    }
  }
  for (const SharedFd& other : others) static_cast<void>(sys::start_writeback(*other, 0, 0));
  return data_only ? sys::fdatasync(*fd) : sys::fsync(*fd);
}

}  // namespace lyr::unionfs
