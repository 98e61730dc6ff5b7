// SPDX-License-Identifier: Apache-2.0
#include "engine/shared_image.h"

#include <fcntl.h>

#include <span>
#include <string_view>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "base/sys_unix_socket.h"
#include "engine/detached.h"
#include "engine/image_daemon.h"
#include "engine/union_mode.h"

namespace lyr::engine {
namespace {

constexpr char lock_file[] = "lock";
constexpr char format[] = "lyr image 1\n";  // of what daemons and supervisors tell each other
constexpr size_t name_digits = 32;
constexpr std::string_view ended = "its image's file system server ended";
constexpr std::string_view silent = "its image's file system server does not answer";
constexpr int answer_ms = 10'000;

Failure unavailable(int code, std::string why) { return fail(code, "image", std::move(why)); }

// What a process has from who started it, and is served or ended with: containers of others are to
// have no part in it. The cgroups are a service manager's unit or session.
std::string surroundings() {
  auto text = sys::read_file_at(sys::cwd(), "/proc/self/cgroup");
  std::string all = text ? *text : "";
  for (const char* kind : {"cgroup", "mnt", "net", "pid", "user"}) {
    auto target = sys::readlink_at(sys::cwd(), (std::string("/proc/self/ns/") + kind).c_str());
    all += (target ? *target : "") + "\n";
  }
  auto cpus = sys::cpus_allowed();
  for (int cpu : cpus ? *cpus : std::vector<int>()) all += std::to_string(cpu) + ",";
  return all + "\n" + std::to_string(sys::nice_value()) + " " +
         std::to_string(sys::scheduling_policy());
}

std::string text_of(const sys::Message& note) {
  return {reinterpret_cast<const char*>(note.data.data()), note.data.size()};
}

}  // namespace

Result<ImageSockets> ImageSockets::open(const Roots& roots) {
  std::string path = roots.run_root + "/images";
  auto made = sys::mkdir_at(sys::cwd(), path.c_str(), 0700);
  if (!made && made.error().code != EEXIST) return std::unexpected(std::move(made).error());
  return ImageSockets(TRY(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)));
}

Result<Fd> ImageSockets::lock(int operation) const {
  Fd file = TRY(sys::open_at(directory_, lock_file, O_RDWR | O_CREAT, 0600));
  TRY(sys::flock(file, operation));
  return file;
}

std::string ImageSockets::name(const ImageKey& key) {
  std::string text = format + key.roots.root + "\n" + key.chain_id.hex();
  text += "\n" + surroundings();
  for (const auto* ranges : {&key.map.uids, &key.map.gids}) {
    text += "\n";
    for (const sandbox::IdRange& range : *ranges)
      text += std::to_string(range.container) + " " + std::to_string(range.host) + " " +
              std::to_string(range.count) + ",";
  }
  return Digest::of(text).hex().substr(0, name_digits);
}

Result<std::unique_ptr<SharedImage>> SharedImage::join(const ImageKey& key) {
  auto sockets = TRY(ImageSockets::open(key.roots));
  std::string name = ImageSockets::name(key);
  Fd lock = TRY(sockets.lock());
  auto daemon = sys::connect_unix(sockets.directory(), name.c_str(), false);
  if (!daemon && (daemon.error().code == ENOENT || daemon.error().code == ECONNREFUSED)) {
    Fd listener = TRY(sys::listen_unix(sockets.directory(), name.c_str()));
    TRY(fork_detached({listener.get()}, [&] { run_image_daemon(key, name, std::move(listener)); }));
    daemon = sys::connect_unix(sockets.directory(), name.c_str(), false);
  }
  if (!daemon && daemon.error().code == EAGAIN) return unavailable(EAGAIN, std::string(silent));
  if (!daemon) return std::unexpected(std::move(daemon).error());
  return std::unique_ptr<SharedImage>(new SharedImage(std::move(*daemon)));
}

Result<> SharedImage::hear_daemon() {
  struct pollfd waiting{daemon_.get(), POLLIN, 0};
  int ready = TRY(sys::poll({&waiting, 1}, answer_ms));
  if (ready == 0) return unavailable(ETIMEDOUT, std::string(silent));
  auto note = sys::receive_message(daemon_, image_note_bytes_max);
  std::string text = note ? text_of(*note) : "";
  if (text.starts_with(image_is_not)) return unavailable(EIO, text.substr(1));
  if (text.empty() || note->fds.empty()) return unavailable(ECHILD, std::string(ended));
  mount_ = std::move(note->fds[0]);
  if (note->fds.size() > 1) user_namespace_ = std::move(note->fds[1]);
  return {};
}

Result<Fd> SharedImage::user_namespace() {
  if (is_host_root()) return Fd();  // without waiting for it
  TRY(hear_daemon());
  return std::move(user_namespace_);
}

Result<> SharedImage::attach(sandbox::Launch& container) {
  if (!mount_) TRY(hear_daemon());
  container.give_image(std::move(mount_));
  return {};
}

std::optional<std::string> SharedImage::why_it_ended() {
  auto note = sys::receive_message(daemon_, image_note_bytes_max);
  std::string why = note ? text_of(*note) : "";
  return why.empty() ? std::string(ended) : why;
}

void SharedImage::let_go(int) {
  mount_.reset();  // it waits for the end of the file system
  user_namespace_.reset();
  static_cast<void>(sys::end_sending(daemon_));
}

// It lets go of us: at once, or, where nobody else is left, when it has cleaned up.
void SharedImage::finish(int timeout_ms) {
  let_go(timeout_ms);
  struct pollfd waiting{daemon_.get(), POLLIN, 0};
  static_cast<void>(sys::poll({&waiting, 1}, timeout_ms));
}

}  // namespace lyr::engine
