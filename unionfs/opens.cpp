// SPDX-License-Identifier: Apache-2.0
#include "unionfs/opens.h"

#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/ioctl.h>

#include <atomic>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::unionfs {
namespace {

// Of linux/fuse.h, which older headers lack.
struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};
constexpr unsigned long backing_open = _IOW(229, 1, BackingMap);
constexpr unsigned long backing_close = _IOW(229, 2, uint32_t);
constexpr long overlayfs_magic = 0x794c7630;

// The kernel writes with the rights of who opens the backing file, and those of ours would leave a
// set-user-id bit where a write by another has to take it away.
class WithoutFsetid {
 public:
  WithoutFsetid() {
    auto sets = sys::get_capabilities();
    if (!sets) return;
    before_ = *sets;
    sets->effective &= ~(uint64_t{1} << CAP_FSETID);
    dropped_ = sys::set_capabilities(*sets).has_value();
  }
  ~WithoutFsetid() {
    if (dropped_) static_cast<void>(sys::set_capabilities(before_));
  }
  WithoutFsetid(const WithoutFsetid&) = delete;
  WithoutFsetid& operator=(const WithoutFsetid&) = delete;
  bool dropped() const { return dropped_; }

 private:
  sys::CapabilitySets before_;
  bool dropped_ = false;
};

// 0: not to be had, for want of memory, or since the file is on a file system it may not be on.
int back(const Fd& device, const Fd& file) {
  WithoutFsetid rights;
  if (!rights.dropped()) return 0;
  BackingMap map{file.get(), 0, 0};
  auto number = sys::ioctl_number(device, backing_open, reinterpret_cast<unsigned long>(&map));
  return number ? *number : 0;
}

// A change that is seen in this order by who looks when we are dead.
template <class T>
void store(std::atomic<T>& to, T value) {
  to.store(value, std::memory_order_release);
}

constexpr uint16_t executed_max = UINT16_MAX;  // more than can be counted
void add(std::atomic<uint16_t>& to, int change) {
  store(to, static_cast<uint16_t>(to.load() + change));
}

}  // namespace

Result<bool> is_stacked(const Fd& directory) {
  for (long magic : {overlayfs_magic, long{ECRYPTFS_SUPER_MAGIC}, long{FUSE_SUPER_MAGIC}}) {
    bool on = TRY(sys::is_on_file_system(directory, magic));
    if (on) return true;
  }
  return false;
}

// Of a device that is not mounted yet a kernel that knows the call refuses it in another way.
Result<bool> kernel_has_passthrough() {
  Fd device = TRY(sys::open("/dev/fuse", O_RDWR));
  BackingMap map{-1, 0, 0};
  auto asked = sys::ioctl_number(device, backing_open, reinterpret_cast<unsigned long>(&map));
  return asked || asked.error().code != ENOTTY;
}

void Opens::give_back(Ledger::Open& known) {
  auto number = static_cast<uint32_t>(known.backing.load());
  if (number == 0) return;
  store(known.backing, 0);  // first: a number may be given again
  static_cast<void>(sys::ioctl(device_, backing_close, reinterpret_cast<unsigned long>(&number)));
}

// Null: there is no room for it, or the row is another inode's by now. A thread may come to an
// inode's last requests after another has made that.
Ledger::Open* Opens::find(uint64_t node) {
  Ledger::Open* known = ledger_.open_of(static_cast<Ledger::Row>(node));
  bool is_its = known != nullptr && known->generation == static_cast<uint32_t>(node >> 32);
  return is_its ? known : nullptr;
}

void Opens::clear(Ledger::Open& known) {
  give_back(known);
  store(known.files, uint32_t{0});
  store(known.mapped, uint16_t{0});
  store(known.executed, uint16_t{0});
}

Opens::Way Opens::open(uint64_t node, const SharedFd& file, Use use) {
  std::scoped_lock lock(mutex_);
  Ledger::Open* known = ledger_.open_of(static_cast<Ledger::Row>(node));
  if (known == nullptr) return {};
  auto generation = static_cast<uint32_t>(node >> 32);
  if (known->generation != generation) {
    clear(*known);
    store(known->generation, generation);
  }
  if (known->files == 0 && known->backing == 0 && file) store(known->backing, back(device_, *file));
  int backing = known->backing;
  if (use.maps && backing != 0) store(known->mapped, uint16_t{1});
  if (use.executes && known->executed < executed_max) add(known->executed, 1);
  store(known->files, known->files + 1);
  return {.backing = backing, .keep_pages = !file && backing == 0};
}

void Opens::close(uint64_t node, Use use) {
  std::scoped_lock lock(mutex_);
  Ledger::Open* known = find(node);
  if (known == nullptr) return;
  if (known->files > 0) store(known->files, known->files - 1);
  if (use.executes && known->executed > 0 && known->executed < executed_max) {
    add(known->executed, -1);
  }
  if (known->files == 0) give_back(*known);
}

void Opens::forget(uint64_t node) {
  std::scoped_lock lock(mutex_);
  Ledger::Open* known = find(node);
  if (known != nullptr) clear(*known);
}

bool Opens::is_executed(uint64_t node) {
  std::scoped_lock lock(mutex_);
  const Ledger::Open* known = find(node);
  return known != nullptr && known->executed != 0;
}

bool Opens::may_be_mapped(uint64_t node) {
  std::scoped_lock lock(mutex_);
  const Ledger::Open* known = find(node);
  return known != nullptr && known->mapped != 0;
}

}  // namespace lyr::unionfs
