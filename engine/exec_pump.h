// SPDX-License-Identifier: Apache-2.0
// Passes bytes between our standard streams and a process of `lyr exec` until it ends.
#pragma once

#include "engine/attach_client.h"
#include "engine/engine.h"
#include "engine/stdio_hub.h"

namespace lyr::engine {

class ExecPump {
 public:
  static Result<ExecPump> prepare(const AttachOptions& options);
  // `process`: our child; reaped here.
  Result<Outcome> run(ContainerStreams streams, const Fd& process);

 private:
  ExecPump(const AttachOptions& options, std::string detach_keys, Fd signals)
      : options_(options),
        scanner_(options.terminal ? std::move(detach_keys) : ""),
        signals_(std::move(signals)) {}

  Result<> take_signals(const ContainerStreams& streams, const Fd& process);
  // What was typed; an ended input closes the stream.
  Result<> take_input(ContainerStreams& streams, bool& detached);
  void feed(ContainerStreams& streams);

  AttachOptions options_;
  DetachScanner scanner_;
  Fd signals_;
  std::string pending_;
  bool input_open_ = false;
};

}  // namespace lyr::engine
