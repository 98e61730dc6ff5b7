// SPDX-License-Identifier: Apache-2.0
// The upper's objects by descriptor. Directories and file contents stay open for a while, a bounded
// number of them; every one is reached from its parent's descriptor, never by a path.
#include <sys/stat.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

constexpr size_t cached_fds_max = 384;

}  // namespace

void Union::remember_fd(Node& node, bool data) {
  if (open_fds_.size() >= cached_fds_max) {
    // The older half goes. Whoever uses one of them still shares it.
    size_t half = open_fds_.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      Node* old = nodes_.find(open_fds_[i].first);
      if (old == nullptr || old == &node) continue;
      if (open_fds_[i].second) {
        old->make_more().data.reset();
      } else if (old->type == S_IFDIR && old->has_name()) {
        nodes_.hold(*old, nullptr);
        old->make_more().held.reset();
      }
    }
    open_fds_.erase(open_fds_.begin(), open_fds_.begin() + static_cast<ptrdiff_t>(half));
  }
  open_fds_.emplace_back(node.id, data);
}

Result<SharedFd> Union::directory_fd(Node& directory) {
  if (directory.id == root_id) return upper_.root();
  if (directory.more().held) return directory.more().held;
  if (!directory.has_name()) return fail(ENOENT, "directory");
  auto parent = TRY(directory_fd(*nodes_.parent(directory)));
  std::string name = nodes_.name(directory);
  Fd fd = TRY(open_own_directory(*parent, name.c_str()));
  directory.make_more().held = std::make_shared<const Fd>(std::move(fd));
  remember_fd(directory, false);
  return directory.more().held;
}

Result<SharedFd> Union::object(Node& node) {
  if (node.type == S_IFDIR) return directory_fd(node);
  if (node.more().held) return node.more().held;
  if (node.more().data) return node.more().data;
  SharedFd parent = upper_.work();
  std::string name;
  if (node.has_name()) {
    parent = TRY(directory_fd(*nodes_.parent(node)));
    name = nodes_.name(node);
  } else if (node.orphan) {
    name = Upper::orphan_name(node.id);
  }
  Fd fd = TRY(open_own(*parent, name.c_str(), O_PATH | O_NOFOLLOW));
  return std::make_shared<const Fd>(std::move(fd));
}

Result<SharedFd> Union::data_fd(Node& node, bool to_write) {
  if (node.more().data) return node.more().data;
  TRY(complete(node));
  auto fd = TRY(object(node));
  auto open = [&] { return sys::reopen(*fd, O_RDWR); };
  Fd data = TRY(to_write ? as_owner(*fd, S_IRUSR | S_IWUSR, open) : open());
  node.make_more().data = std::make_shared<const Fd>(std::move(data));
  remember_fd(node, true);
  return node.more().data;
}

}  // namespace lyr::unionfs
