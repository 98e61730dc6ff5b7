// SPDX-License-Identifier: Apache-2.0
#include "engine/union_server.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_socket.h"
#include "engine/union_mode.h"
#include "unionfs/image_session.h"
#include "unionfs/unionfs.h"

namespace lyr::engine {
namespace {

constexpr size_t note_bytes_max = 64;

bool privileged() { return ::geteuid() == 0; }

// A host root's overlay is the host's: what the image says is shown with the container's ids.
unionfs::Ids host_ids(const sandbox::IdMap& map) {
  auto ranges = [](const std::vector<sandbox::IdRange>& from) {
    std::vector<unionfs::IdRange> to;
    for (const sandbox::IdRange& range : from)
      to.push_back({.on_disk = range.container, .shown = range.host, .count = range.count});
    return to;
  };
  unionfs::Ids ids;
  ids.users = ranges(map.uids);
  ids.groups = ranges(map.gids);
  return ids;
}

Result<> die_with_parent(pid_t parent) {
  TRY(sys::prctl(PR_SET_PDEATHSIG, SIGKILL));
  // It may have died before that took hold.
  return ::getppid() == parent ? Result<>() : fail(ESRCH, "getppid");
}

Result<> run(const Roots& roots, const ContainerDirectory& directory, const Digest& chain_id,
             const sandbox::IdMap& map, UnionMode mode, bool durable, const Fd& channel,
             pid_t parent) {
  TRY(die_with_parent(parent));
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-union")));
  auto store = TRY(store::Store::open(store_directory(roots)));
  auto tree = TRY(store.open_image_tree(chain_id));
  unionfs::Options options;
  options.lower = unionfs::lower_from_tree(store, tree);
  options.upper = TRY(sys::open_at(directory.persistent, "upper", O_RDONLY | O_DIRECTORY));
  options.work = TRY(sys::open_at(directory.persistent, "work", O_RDONLY | O_DIRECTORY));
  if (map.single) options.ownership = unionfs::Ownership::in_xattr;
  options.trusted_xattrs = is_host_root();
  options.durable = durable;
  auto note = TRY(sys::receive_message(channel, note_bytes_max));
  if (note.fds.empty()) return {};  // the container came to nothing
  if (note.fds.size() > 1) {
    TRY(sys::setns(note.fds[1], CLONE_NEWUSER));
    // Changing credentials clears the death signal.
    TRY(die_with_parent(parent));
  }
  if (mode == UnionMode::fuse) return unionfs::serve(std::move(note.fds[0]), std::move(options));
  // Before the overlay is mounted: that waits for us.
  TRY(unionfs::dress_upper(options.upper, tree, options.trusted_xattrs));
  unionfs::ImageOptions image{.store = store, .tree = tree, .ids = {}};
  if (options.trusted_xattrs) image.ids = host_ids(map);
  return unionfs::serve_image(std::move(note.fds[0]), image);
}

}  // namespace

Result<UnionServer> UnionServer::fork(const Roots& roots, const ContainerDirectory& directory,
                                      const Digest& chain_id, const sandbox::IdMap& map,
                                      UnionMode mode, bool durable,
                                      const std::function<void()>& forget) {
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  pid_t parent = ::getpid();
  auto child = TRY(sys::clone_process());
  if (child.pid == 0) {
    ours.reset();
    forget();
    sys::reset_signals();
    auto served = run(roots, directory, chain_id, map, mode, durable, theirs, parent);
    ::_exit(served ? 0 : 1);
  }
  return UnionServer(std::move(child), std::move(ours));
}

Result<> UnionServer::serve(Fd fuse_device, Fd user_namespace) {
  std::vector<int> fds{fuse_device.get()};
  if (!privileged()) fds.push_back(user_namespace.get());
  std::byte go{1};
  return sys::send_message(channel_, {&go, 1}, fds);
}

bool UnionServer::ended_well() {
  auto ending = sys::wait_pidfd(child_.pidfd);
  reaped_ = true;
  return ending && *ending && (*ending)->shell_code() == 0;
}

void UnionServer::finish(int timeout_ms) {
  channel_.reset();
  if (reaped_) return;
  struct pollfd waiting{child_.pidfd.get(), POLLIN, 0};
  auto ended = sys::poll({&waiting, 1}, timeout_ms);
  if (!ended || *ended == 0) static_cast<void>(sys::pidfd_send_signal(child_.pidfd, SIGKILL));
  static_cast<void>(sys::wait_pidfd(child_.pidfd));
}

}  // namespace lyr::engine
