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
#include "unionfs/keeper.h"
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

struct Container {
  const Roots& roots;
  const ContainerDirectory& directory;
  const Digest& chain_id;
  const sandbox::IdMap& map;
  UnionMode mode;
  bool durable;
};

// What the ledger's handed descriptors are.
constexpr size_t handed_device = 0;
constexpr size_t handed_namespace = 1;

// What makes the kernel wait for us must not wait for the kernel: memory that we ask for is not got
// by writing something back (prctl(2), PR_SET_IO_FLUSHER), and when memory runs out the container
// goes first. Both take CAP_SYS_RESOURCE, which root of a container may lack.
void stay_alive() {
  static_cast<void>(sys::prctl(PR_SET_IO_FLUSHER, 1));
  auto score = sys::open("/proc/self/oom_score_adj", O_WRONLY);
  if (score) static_cast<void>(sys::write_all(*score, std::string_view("-900")));
}

// In the server's process. The first one is told of the connection, those that follow know it.
Result<> serve(const Container& container, const Fd& channel, unionfs::Ledger& ledger) {
  sys::name_thread("lyr-union");
  pid_t keeper = ::getppid();
  auto store = TRY(store::Store::open(store_directory(container.roots)));
  auto tree = TRY(store.open_image_tree(container.chain_id));
  const Fd& directory = container.directory.persistent;
  unionfs::Options options;
  options.lower = unionfs::lower_from_tree(store, tree);
  options.upper = TRY(sys::open_at(directory, "upper", O_RDONLY | O_DIRECTORY));
  options.work = TRY(sys::open_at(directory, "work", O_RDONLY | O_DIRECTORY));
  if (container.map.single) options.ownership = unionfs::Ownership::in_xattr;
  options.trusted_xattrs = is_host_root();
  options.durable = options.sync = container.durable;
  options.ledger = &ledger;
  if (!ledger.has(handed_device)) {
    // It stays there, for one that follows a server killed at this place.
    auto note = TRY(sys::peek_message(channel, note_bytes_max));
    if (note.fds.empty()) return {};  // the container came to nothing
    if (note.fds.size() > 1) ledger.hand(handed_namespace, std::move(note.fds[1]));
    ledger.hand(handed_device, std::move(note.fds[0]));
  }
  if (ledger.has(handed_namespace)) {
    Fd joined = TRY(ledger.copy_handed(handed_namespace));
    TRY(sys::setns(joined, CLONE_NEWUSER));
    // Changing credentials clears the death signal.
    TRY(die_with_parent(keeper));
  }
  Fd own = TRY(ledger.copy_handed(handed_device));
  if (container.mode == UnionMode::fuse) return unionfs::serve(std::move(own), std::move(options));
  // Before the overlay is mounted: that waits for us.
  if (ledger.init().empty()) TRY(unionfs::dress_upper(options.upper, tree, options.trusted_xattrs));
  unionfs::ImageOptions image{.store = store, .tree = tree, .ids = {}};
  image.ledger = &ledger;
  if (options.trusted_xattrs) image.ids = host_ids(container.map);
  return unionfs::serve_image(std::move(own), image);
}

Result<> keep(const Container& container, const Fd& channel, pid_t parent) {
  TRY(die_with_parent(parent));
  sys::name_thread("lyr-keeper");
  stay_alive();
  return unionfs::keep_serving(
      [&](unionfs::Ledger& ledger) { return serve(container, channel, ledger); });
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
    auto kept = keep({roots, directory, chain_id, map, mode, durable}, theirs, parent);
    ::_exit(kept ? 0 : kept.error().code);
  }
  return UnionServer(std::move(child), std::move(ours));
}

Result<> UnionServer::serve(Fd fuse_device, Fd user_namespace) {
  std::vector<int> fds{fuse_device.get()};
  if (!privileged()) fds.push_back(user_namespace.get());
  std::byte go{1};
  return sys::send_message(channel_, {&go, 1}, fds);
}

std::optional<std::string> UnionServer::why_it_ended() {
  auto ending = sys::wait_pidfd(child_.pidfd);
  reaped_ = true;
  bool exited = ending && *ending && !(*ending)->signaled;
  int code = exited ? (*ending)->value : 0;
  if (exited && code == 0) return std::nullopt;
  if (code == unionfs::cannot_resume)
    return "its file system server was killed, and none can follow it (that takes Linux 6.9)";
  if (code == unionfs::ends_again) return "its file system server was killed again and again";
  return "its file system server ended";
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
