// SPDX-License-Identifier: Apache-2.0
#include "tools/fusermount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "base/sys_program.h"
#include "base/sys_socket.h"

namespace lyr::tools {
namespace {

constexpr size_t words_bytes_max = 4096;  // of what it says; the rest is read and forgotten

struct Running {
  pid_t pid = -1;
  Fd words;
};

// `socket`: where it sends the descriptor to.
Result<Running> start(std::vector<std::string> arguments, const Fd* socket) {
  auto words = TRY(sys::pipe());
  sys::Program program{.name = "fusermount3", .arguments = std::move(arguments)};
  program.standard_error = &words.write;
  program.kept = socket;
  if (socket != nullptr)
    program.environment.push_back("_FUSE_COMMFD=" + std::to_string(socket->get()));
  Running running;
  auto started = sys::start_program(program);
  // EACCES: of a directory in PATH that is closed to us, or of one that is not for us to run.
  if (!started && started.error().code == EACCES) return fail(ENOENT, "posix_spawn", "fusermount3");
  running.pid = TRY(std::move(started));
  running.words = std::move(words.read);
  return running;
}

// What it says until it ends, on one line.
std::string read_words(const Fd& pipe) {
  std::string words;
  std::array<std::byte, words_bytes_max> piece;
  for (;;) {
    auto got = sys::read(pipe, piece);
    if (!got || *got == 0) break;
    size_t room = words_bytes_max - words.size();
    words.append(reinterpret_cast<const char*>(piece.data()), std::min(*got, room));
  }
  while (words.ends_with('\n')) words.pop_back();
  for (size_t at = 0; (at = words.find('\n', at)) != std::string::npos;) words.replace(at, 1, "; ");
  return words;
}

Result<> end(const Running& running) {
  std::string words = read_words(running.words);
  auto ending = sys::wait_pid(running.pid);
  // Whoever started us had SIGCHLD ignored: nobody knows how it ended but by what it says.
  if (!ending && ending.error().code == ECHILD && words.empty()) return {};
  if (!ending) return std::unexpected(std::move(ending).error());
  if (*ending && (*ending)->shell_code() == 0) return {};
  return fail_saying(EPERM, words.empty() ? "fusermount3 failed, and says nothing" : words);
}

// Also of a mount whose server is gone, or does not answer.
bool is_no_mount(const std::string& target) {
  auto status =
      sys::statx_at(sys::cwd(), target.c_str(), AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, 0);
  return status && (status->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
         (status->stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

}  // namespace

Result<Fd> mount_by_fusermount(const std::string& options, const std::string& target) {
  auto [ours, its] = TRY(sys::socket_pair(SOCK_STREAM));
  auto running = TRY(start({"-o", options, "--", target}, &its));
  its.reset();
  auto message = sys::receive_message(ours, 1);
  TRY(end(running));
  if (!message) return std::unexpected(std::move(message).error());
  if (message->fds.size() != 1) return fail_saying(EPROTO, "fusermount3 gave no descriptor");
  return std::move(message->fds.front());
}

Result<> unmount(const std::string& target, bool lazy) {
  auto gone = sys::umount(target.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
  if (gone || gone.error().code != EPERM || ::geteuid() == 0) return gone;
  if (is_no_mount(target)) return fail(EINVAL, "umount2");
  std::vector<std::string> arguments{"-u", "--", target};
  if (lazy) arguments.insert(arguments.begin() + 1, "-z");
  auto running = start(std::move(arguments), nullptr);
  if (running) return end(*running);
  if (running.error().code == ENOENT)
    return fail_saying(EPERM, target +
                                  ": not permitted to unmount, and fusermount3 (package "
                                  "fuse3), which could, is missing or not for this user to run");
  return std::unexpected(std::move(running).error());
}

}  // namespace lyr::tools
