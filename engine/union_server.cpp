// SPDX-License-Identifier: Apache-2.0
#include "engine/union_server.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_socket.h"
#include "unionfs/unionfs.h"

namespace lyr::engine {
namespace {

constexpr size_t note_bytes_max = 64;

bool privileged() { return ::geteuid() == 0; }

// Where root's extended attributes ("trusted.") may be written: with the initial namespace's map of
// all ids to themselves. lyr may be root of a container.
bool in_initial_user_namespace() {
  auto map = sys::read_file_at(sys::cwd(), "/proc/self/uid_map");
  if (!map) return false;
  unsigned long first = 1;
  unsigned long host = 1;
  unsigned long count = 0;
  return std::sscanf(map->c_str(), "%lu %lu %lu", &first, &host, &count) == 3 && first == 0 &&
         host == 0 && count == UINT32_MAX;
}

Result<> die_with_parent(pid_t parent) {
  TRY(sys::prctl(PR_SET_PDEATHSIG, SIGKILL));
  // It may have died before that took hold.
  return ::getppid() == parent ? Result<>() : fail(ESRCH, "getppid");
}

Result<> run(const Roots& roots, const ContainerDirectory& directory, const Digest& chain_id,
             const sandbox::IdMap& map, bool durable, const Fd& channel, pid_t parent) {
  TRY(die_with_parent(parent));
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-union")));
  auto store = TRY(store::Store::open(store_directory(roots)));
  auto tree = TRY(store.open_image_tree(chain_id));
  unionfs::Options options;
  options.lower = unionfs::lower_from_tree(store, tree);
  options.upper = TRY(sys::open_at(directory.persistent, "upper", O_RDONLY | O_DIRECTORY));
  options.work = TRY(sys::open_at(directory.persistent, "work", O_RDONLY | O_DIRECTORY));
  if (map.single) options.ownership = unionfs::Ownership::in_xattr;
  options.trusted_xattrs = privileged() && in_initial_user_namespace();
  options.durable = durable;
  auto note = TRY(sys::receive_message(channel, note_bytes_max));
  if (note.fds.empty()) return {};  // the container came to nothing
  if (note.fds.size() > 1) {
    TRY(sys::setns(note.fds[1], CLONE_NEWUSER));
    // Changing credentials clears the death signal.
    TRY(die_with_parent(parent));
  }
  return unionfs::serve(std::move(note.fds[0]), std::move(options));
}

}  // namespace

Result<UnionServer> UnionServer::fork(const Roots& roots, const ContainerDirectory& directory,
                                      const Digest& chain_id, const sandbox::IdMap& map,
                                      bool durable, const std::function<void()>& forget) {
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  pid_t parent = ::getpid();
  auto child = TRY(sys::clone_process());
  if (child.pid == 0) {
    ours.reset();
    forget();
    sys::reset_signals();
    auto served = run(roots, directory, chain_id, map, durable, theirs, parent);
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
