// SPDX-License-Identifier: Apache-2.0
// The supervisor's middle: a container's streams on one side, its log and whoever is attached on
// the other. A slow client delays the container, as in docker; one that is gone never does.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "engine/attach_protocol.h"
#include "engine/log_file.h"

namespace lyr::engine {

// Our ends of the container's streams. With a terminal only `terminal` is there.
struct ContainerStreams {
  Fd input;
  Fd output;
  Fd error;
  Fd terminal;
};

constexpr size_t clients_max = 64;
constexpr size_t client_queue_bytes_max = 1 << 20;  // past it the container's output waits
constexpr size_t input_queue_bytes_max = 256 << 10;

class StdioHub {
 public:
  StdioHub(ContainerStreams streams, LogWriter log, bool close_input_with_client);

  void set_signal_handler(std::function<void(int)> handler) { on_signal_ = std::move(handler); }
  void add_client(Fd socket);

  // Adds what to wait for; act() is then given the same list after the poll.
  void watch(std::vector<struct pollfd>& fds) const;
  void act(const std::vector<struct pollfd>& fds);

  // After the container's end: takes the output that is left.
  void drain();
  // Tells every client and sends what is queued, waiting at most `timeout_ms`.
  void finish(int exit_code, const std::string& why, int timeout_ms);

 private:
  struct Client {
    Fd socket;
    std::string in;
    std::string out;
    uint8_t wishes = 0;
    bool gone = false;
  };

  bool output_may_flow() const;
  bool input_may_flow() const;
  // False when the stream has ended.
  bool take_output(Fd& stream, bool standard_error);
  void take_frames(Client& client);
  void obey(Client& client, const Frame& frame);
  void send(Client& client);
  void feed_input();
  void drop_gone();

  ContainerStreams streams_;
  LogWriter log_;
  bool close_input_with_client_;
  bool input_ended_ = false;
  std::string input_;
  std::list<Client> clients_;
  std::function<void(int)> on_signal_;
};

}  // namespace lyr::engine
