// SPDX-License-Identifier: Apache-2.0
#include "engine/image_daemon.h"

#include <poll.h>
#include <sys/resource.h>

#include <csignal>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "base/sys_unix_socket.h"
#include "engine/detached.h"
#include "engine/union_server.h"

namespace lyr::engine {
namespace {

class ImageDaemon {
 public:
  ImageDaemon(const ImageKey& key, const std::string& socket, Fd listener)
      : key_(key), socket_(socket), listener_(std::move(listener)) {}
  Result<> begin();
  // Until nobody is connected any more, or the server ended.
  void serve();
  // Says to all, and to who comes in this moment, that there is no image.
  void refuse(const std::string& why);

 private:
  void welcome_all();
  void welcome(Fd client);
  bool leave();
  Result<Fd> lock_unless(const std::function<bool()>& stop);
  void close_door();

  const ImageKey& key_;
  const std::string& socket_;
  Fd listener_;
  std::optional<ImageSockets> sockets_;
  std::optional<UnionServer> server_;
  std::optional<sandbox::ImageMount> mount_;
  std::vector<Fd> clients_;
};

// One for each container.
void allow_descriptors() {
  auto limit = sys::get_rlimit(RLIMIT_NOFILE);
  if (!limit) return;
  limit->rlim_cur = limit->rlim_max;
  static_cast<void>(sys::set_rlimit(RLIMIT_NOFILE, *limit));
}

void send_text(const Fd& client, const std::string& text) {
  static_cast<void>(sys::send_message(client, std::as_bytes(std::span(text))));
}

Result<> ImageDaemon::begin() {
  sockets_ = TRY(ImageSockets::open(key_.roots));
  // Before the mount namespace is our own: in it the server would keep its own file system mounted.
  Served served{key_.roots, key_.chain_id, key_.map};
  server_ = TRY(UnionServer::fork(served, [this] {
    listener_.reset();
    sockets_.reset();
  }));
  mount_ = TRY(sandbox::ImageMount::make(key_.map));
  Connection connection;
  connection.fuse_device = mount_->take_device();
  return server_->serve(std::move(connection));
}

void ImageDaemon::welcome(Fd client) {
  auto copy = mount_->copy();
  if (!copy) return listener_.reset();  // as below
  std::vector<int> fds{copy->get()};
  if (mount_->user_namespace()) fds.push_back(mount_->user_namespace().get());
  std::byte here{image_is_here};
  if (sys::send_message(client, {&here, 1}, fds)) clients_.push_back(std::move(client));
}

void ImageDaemon::welcome_all() {
  for (;;) {
    auto client = sys::accept_unix(listener_);
    if (client) {
      welcome(std::move(*client));
      continue;
    }
    // No descriptor is left: who waits or comes next finds nobody here, and makes another daemon.
    if (client.error().code != EAGAIN) listener_.reset();
    return;
  }
}

// With the lock held.
void ImageDaemon::close_door() {
  if (!listener_) return;  // the name may be another's by now
  static_cast<void>(sys::unlink_at(sockets_->directory(), socket_.c_str()));
  listener_.reset();
}

// The sockets' lock, or ECANCELED when `stop` says so: it is asked until the lock is free, and
// takes in who comes meanwhile.
Result<Fd> ImageDaemon::lock_unless(const std::function<bool()>& stop) {
  for (;;) {
    if (stop()) return fail(ECANCELED, "flock");
    auto lock = sockets_->try_lock();
    if (lock || lock.error().code != EWOULDBLOCK) return lock;
    TRY(sys::nap(1));
  }
}

// False: somebody has come meanwhile.
bool ImageDaemon::leave() {
  auto anyone = [this] {
    welcome_all();
    return !clients_.empty();
  };
  auto lock = lock_unless(anyone);
  if (anyone()) return false;
  close_door();
  if (lock) lock->reset();
  mount_->drop();
  server_->finish(UnionServer::end_ms);
  return true;
}

void ImageDaemon::refuse(const std::string& why) {
  for (const Fd& client : clients_) send_text(client, why);
  if (!sockets_) return;  // whoever waits hears of our end
  auto send_away = [&] {
    while (auto client = sys::accept_unix(listener_)) send_text(*client, image_is_not + why);
    return false;
  };
  auto lock = lock_unless(send_away);
  send_away();
  close_door();
}

void ImageDaemon::serve() {
  if (leave()) return;  // who forked us was killed
  for (;;) {
    std::vector<struct pollfd> fds;
    fds.push_back({server_->watched().get(), POLLIN, 0});
    fds.push_back({listener_.get(), POLLIN, 0});
    for (const Fd& client : clients_) fds.push_back({client.get(), POLLIN, 0});
    if (!sys::poll(fds, -1)) return;
    if (fds[0].revents != 0) {
      auto why = server_->why_it_ended();
      return refuse(why.value_or("its image was unmounted"));
    }
    // They hear of it when they are let go of, the last of them when all is gone.
    std::vector<Fd> gone;
    for (size_t i = clients_.size(); i-- > 0;) {
      if (fds[i + 2].revents == 0) continue;  // who is connected sends nothing
      gone.push_back(std::move(clients_[i]));
      clients_.erase(clients_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (fds[1].revents != 0) welcome_all();
    if (clients_.empty() && leave()) return;
  }
}

}  // namespace

void run_image_daemon(const ImageKey& key, const std::string& socket, Fd listener) {
  sys::reset_signals();
  sys::ignore_signal(SIGPIPE);
  sys::name_thread("lyr-image");
  stay_alive();
  allow_descriptors();
  ImageDaemon daemon(key, socket, std::move(listener));
  auto begun = daemon.begin();
  if (begun) {
    daemon.serve();
  } else {
    daemon.refuse(describe(begun.error()));
  }
}

}  // namespace lyr::engine
