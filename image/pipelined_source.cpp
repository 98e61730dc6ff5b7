// SPDX-License-Identifier: Apache-2.0
#include "image/pipelined_source.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "base/sys_process.h"

namespace lyr::image {

// A ring of blocks. `filled` of them, from `first` on, belong to the taker; the one it looks at is
// given back by its next call.
struct PipelinedSource::State {
  struct Block {
    std::vector<std::byte> data = std::vector<std::byte>(pipeline_block_bytes);
    size_t length = 0;
  };

  std::unique_ptr<ByteReader> reader;
  std::array<Block, pipeline_blocks> blocks;
  size_t first = 0;      // the taker's
  bool lending = false;  // the taker's

  std::mutex lock;  // guards what follows
  std::condition_variable changed;
  size_t filled = 0;
  bool ended = false;
  bool stopped = false;
  std::optional<Error> error;

  std::thread thread;

  void run();
  bool wait_for_room();
};

// False: nobody wants more.
bool PipelinedSource::State::wait_for_room() {
  std::unique_lock guard(lock);
  changed.wait(guard, [this] { return stopped || filled < pipeline_blocks; });
  return !stopped;
}

void PipelinedSource::State::run() {
  sys::name_thread("lyr-inflate");
  size_t at = 0;
  bool more = true;
  while (more && wait_for_room()) {
    Block& block = blocks[at];
    auto count = read_up_to(*reader, block.data);
    std::lock_guard guard(lock);
    if (count) {
      block.length = *count;
      if (*count > 0) ++filled;
      more = *count == block.data.size();
    } else {
      error = std::move(count).error();
      more = false;
    }
    ended = !more;
    at = (at + 1) % pipeline_blocks;
    changed.notify_all();
  }
}

PipelinedSource::PipelinedSource(std::unique_ptr<State> state) : state_(std::move(state)) {}

PipelinedSource::~PipelinedSource() {
  {
    std::lock_guard guard(state_->lock);
    state_->stopped = true;
    state_->changed.notify_all();
  }
  state_->thread.join();
}

Result<std::unique_ptr<PipelinedSource>> PipelinedSource::start(
    std::unique_ptr<ByteReader> reader) {
  auto state = std::make_unique<State>();
  state->reader = std::move(reader);
  try {
    state->thread = std::thread([inside = state.get()] { inside->run(); });
  } catch (const std::system_error&) {
    return fail(EAGAIN, "pthread_create");
  }
  return std::unique_ptr<PipelinedSource>(new PipelinedSource(std::move(state)));
}

Result<std::span<const std::byte>> PipelinedSource::next() {
  std::unique_lock guard(state_->lock);
  if (state_->lending) {
    state_->lending = false;
    state_->first = (state_->first + 1) % pipeline_blocks;
    --state_->filled;
    state_->changed.notify_all();
  }
  state_->changed.wait(guard, [this] { return state_->filled > 0 || state_->ended; });
  if (state_->filled > 0) {
    state_->lending = true;
    const auto& block = state_->blocks[state_->first];
    return std::span(block.data).first(block.length);
  }
  if (state_->error) {
    Error error = std::move(*state_->error);
    state_->error = Error{error.code, error.call};
    return Failure(std::move(error));
  }
  return std::span<const std::byte>();
}

}  // namespace lyr::image
