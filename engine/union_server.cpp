// SPDX-License-Identifier: Apache-2.0
#include "engine/union_server.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <system_error>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_socket.h"
#include "engine/detached.h"
#include "engine/id_map.h"
#include "engine/union_mode.h"
#include "unionfs/image_session.h"
#include "unionfs/keeper.h"
#include "unionfs/unionfs.h"

namespace lyr::engine {
namespace {

constexpr size_t note_bytes_max = 64;

Result<> die_with_parent(pid_t parent) {
  TRY(sys::prctl(PR_SET_PDEATHSIG, SIGKILL));
  // It may have died before that took hold.
  return ::getppid() == parent ? Result<>() : fail(ESRCH, "getppid");
}

// What the ledger's handed descriptors are.
constexpr size_t handed_device = 0;
constexpr size_t handed_namespace = 1;  // the user namespace to join
constexpr size_t handed_pids = 2;

// The first server is told of the connection, those that follow know it. False: there is none, the
// container came to nothing.
Result<bool> know_connection(const Fd& channel, unionfs::Ledger& ledger) {
  if (ledger.has(handed_device)) return true;
  // It stays there, for one that follows a server killed at this place.
  auto note = TRY(sys::peek_message(channel, note_bytes_max));
  if (note.fds.empty()) return false;
  // Each byte says what the descriptor at its place is; the device, which tells that all are there,
  // comes last.
  for (size_t i = 0; i < std::min(note.fds.size(), note.data.size()); ++i)
    if (auto kind = std::to_integer<size_t>(note.data[i]); kind < unionfs::Ledger::handed_max)
      ledger.hand(kind, std::move(note.fds[i]));
  return ledger.has(handed_device);
}

Result<unionfs::Options> union_options(const Served& served, unionfs::Ledger& ledger) {
  const Fd& directory = served.directory->persistent;
  unionfs::Options options;
  options.upper = TRY(sys::open_at(directory, "upper", O_RDONLY | O_DIRECTORY));
  options.work = TRY(sys::open_at(directory, "work", O_RDONLY | O_DIRECTORY));
  if (served.map.single) options.ownership = unionfs::Ownership::in_xattr;
  options.trusted_xattrs = is_host_root();
  options.acls = mapped_ids(served.map);
  options.kernel_tells_times = false;  // the mount is in the container's namespace
  options.durable = options.sync = served.durable;
  options.passthrough = served.passthrough;
  options.io_uring = served.io_uring;
  options.ledger = &ledger;
  return options;
}

// What is of interest of those that the uppers' files are made with: who sets flags and was not
// told of ext4's makes a file one without extents.
uint32_t new_file_flags(const Roots& roots) {
  auto fd = sys::open((roots.root + "/containers").c_str(), O_RDONLY | O_DIRECTORY);
  if (!fd) return 0;
  return sys::file_flags(*fd).value_or(0) & FS_EXTENT_FL;
}

// In the server's process.
Result<> serve(const Served& served, const Fd& channel, unionfs::Ledger& ledger) {
  sys::name_thread("lyr-union");
  pid_t keeper = ::getppid();
  auto store = TRY(store::Store::open(store_directory(served.roots)));
  auto tree = TRY(store.open_image_tree(served.chain_id));
  std::optional<unionfs::Options> options;
  if (served.directory != nullptr) options = TRY(union_options(served, ledger));
  bool connected = TRY(know_connection(channel, ledger));
  if (!connected) return {};
  if (ledger.has(handed_namespace)) {
    Fd joined = TRY(ledger.copy_handed(handed_namespace));
    TRY(sys::setns(joined, CLONE_NEWUSER));
    // Changing credentials clears the death signal.
    TRY(die_with_parent(keeper));
  }
  Fd own = TRY(ledger.copy_handed(handed_device));
  if (options) {
    if (ledger.has(handed_pids))
      options->askers = unionfs::Askers::in(TRY(ledger.copy_handed(handed_pids)));
    options->lower = unionfs::lower_from_tree(store, tree);
    return unionfs::serve(std::move(own), std::move(*options));
  }
  unionfs::ImageOptions image{.store = store, .tree = tree, .ids = {}};
  image.ledger = &ledger;
  image.file_flags = new_file_flags(served.roots);
  // A host root's overlay is the host's.
  if (is_host_root()) {
    image.ids = host_ids(served.map);
  } else {
    image.mapped_ids = mapped_ids(served.map);
  }
  return unionfs::serve_image(std::move(own), image);
}

Result<> keep(const Served& served, const Fd& channel, pid_t parent) {
  TRY(die_with_parent(parent));
  sys::name_thread("lyr-keeper");
  stay_alive();
  return unionfs::keep_serving(
      [&](unionfs::Ledger& ledger) { return serve(served, channel, ledger); });
}

}  // namespace

Result<UnionServer> UnionServer::fork(const Served& served, const std::function<void()>& forget) {
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  pid_t parent = ::getpid();
  auto child = TRY(sys::clone_process());
  if (child.pid == 0) {
    ours.reset();
    forget();
    sys::reset_signals();
    auto kept = keep(served, theirs, parent);
    ::_exit(kept ? 0 : kept.error().code);
  }
  return UnionServer(std::move(child), std::move(ours));
}

Result<> UnionServer::serve(Connection connection) {
  if (!connection.fuse_device) return fail(EBADF, "FUSE device");
  std::vector<std::byte> kinds;
  std::vector<int> fds;
  auto add = [&](size_t kind, const Fd& descriptor) {
    if (!descriptor) return;
    kinds.push_back(static_cast<std::byte>(kind));
    fds.push_back(descriptor.get());
  };
  add(handed_namespace, connection.user_namespace);
  add(handed_pids, connection.pid_namespace);
  add(handed_device, connection.fuse_device);
  return sys::send_message(channel_, kinds, fds);
}

Result<> UnionServer::attach(sandbox::Launch& container) {
  return serve({container.take_fuse_device(),
                ::geteuid() == 0 ? Fd() : container.take_user_namespace(),
                container.take_pid_namespace()});
}

std::optional<std::string> UnionServer::why_it_ended() {
  auto ending = sys::wait_pidfd(child_.pidfd);
  reaped_ = true;
  const std::string ended = "its file system server ended";
  if (!ending || !*ending) return ended;
  int code = (*ending)->value;
  if ((*ending)->signaled) return ended + " (signal " + std::to_string(code) + ")";
  if (code == 0) return std::nullopt;
  if (code == unionfs::cannot_resume)
    return "its file system server was killed, and none can follow it (that takes Linux 6.9, and "
           "not --union io_uring)";
  if (code == unionfs::ends_again) return "its file system server was killed again and again";
  return ended + " (" + std::generic_category().message(code) + ")";
}

void UnionServer::finish(int timeout_ms) {
  channel_.reset();
  if (reaped_) return;
  struct pollfd waiting{child_.pidfd.get(), POLLIN, 0};
  auto ended = sys::poll({&waiting, 1}, timeout_ms);
  if (!ended || *ended == 0) static_cast<void>(sys::pidfd_send_signal(child_.pidfd, SIGKILL));
  static_cast<void>(sys::wait_pidfd(child_.pidfd));
  reaped_ = true;
}

}  // namespace lyr::engine
