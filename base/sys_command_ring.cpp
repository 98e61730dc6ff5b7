// SPDX-License-Identifier: Apache-2.0
#include "base/sys_command_ring.h"

#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace lyr::sys {
namespace {

constexpr uint64_t wake_tag = UINT64_MAX;
constexpr size_t entry_bytes = 128;  // with IORING_SETUP_SQE128

}  // namespace

class CommandRing::Impl {
 public:
  Impl(int file, Fd wake) : file_(file), wake_(std::move(wake)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (made_) io_uring_queue_exit(&ring_);
  }

  Result<> make(unsigned commands) {
    struct io_uring_params params{};
    params.flags = IORING_SETUP_SQE128 | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                   IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED;
    // One more waits for wake().
    int made = io_uring_queue_init_params(commands + 1, &ring_, &params);
    if (made < 0) return fail(-made, "io_uring_setup");
    made_ = true;
    int registered = io_uring_register_files(&ring_, &file_, 1);
    if (registered < 0) return fail(-registered, "io_uring_register");
    listen();
    return {};
  }
  void queue(const Command& command) {
    struct io_uring_sqe* entry = next_entry();
    entry->opcode = IORING_OP_URING_CMD;
    entry->flags = IOSQE_FIXED_FILE;
    entry->cmd_op = command.operation;
    entry->addr = reinterpret_cast<uintptr_t>(command.buffers.data());
    entry->len = static_cast<uint32_t>(command.buffers.size());
    entry->user_data = command.tag;
    std::byte* room = reinterpret_cast<std::byte*>(entry) + offsetof(struct io_uring_sqe, cmd);
    std::copy(command.bytes.begin(), command.bytes.end(), room);
  }
  Result<> wait(const std::function<void(uint64_t, int)>& done) {
    if (!enabled_) TRY(enable());
    int sent = io_uring_submit_and_wait(&ring_, 1);
    // Of the others some may be there to be taken, which helps.
    if (sent < 0 && sent != -EINTR && sent != -EAGAIN && sent != -EBUSY)
      return fail(-sent, "io_uring_enter");
    struct io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(&ring_, &completion) == 0) {
      uint64_t tag = completion->user_data;
      int result = completion->res;
      io_uring_cqe_seen(&ring_, completion);
      if (tag == wake_tag) {
        listen();
      } else {
        done(tag, result);
      }
      // What is queued does not wait for what is done with the others.
      if (io_uring_cq_ready(&ring_) != 0) io_uring_submit(&ring_);
    }
    return {};
  }
  void wake() {
    uint64_t one = 1;
    // Full, it is not read yet.
    static_cast<void>(::eventfd_write(wake_.get(), one));
  }

 private:
  // From here on it is the calling thread's.
  Result<> enable() {
    int now = io_uring_enable_rings(&ring_);
    if (now < 0) return fail(-now, "io_uring_register");
    enabled_ = true;
    return {};
  }
  struct io_uring_sqe* next_entry() {
    struct io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    CHECK(entry != nullptr);  // there are as many as may be under way
    std::fill_n(reinterpret_cast<std::byte*>(entry), entry_bytes, std::byte{0});
    return entry;
  }
  void listen() {
    struct io_uring_sqe* entry = next_entry();
    io_uring_prep_read(entry, wake_.get(), &woken_, sizeof woken_, 0);
    entry->user_data = wake_tag;
  }

  int file_;
  Fd wake_;
  uint64_t woken_ = 0;
  bool made_ = false;
  bool enabled_ = false;
  struct io_uring ring_{};
};

CommandRing::CommandRing(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CommandRing::~CommandRing() = default;

Result<std::unique_ptr<CommandRing>> CommandRing::make(const Fd& file, unsigned commands) {
  Fd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return fail_errno("eventfd");
  auto impl = std::make_unique<Impl>(file.get(), std::move(wake));
  TRY(impl->make(commands));
  return std::unique_ptr<CommandRing>(new CommandRing(std::move(impl)));
}

void CommandRing::queue(const Command& command) { impl_->queue(command); }
Result<> CommandRing::wait(const std::function<void(uint64_t, int)>& done) {
  return impl_->wait(done);
}
void CommandRing::wake() { impl_->wake(); }

}  // namespace lyr::sys
