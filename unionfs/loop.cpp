// SPDX-License-Identifier: Apache-2.0
// libfuse has loops of its own; this one sees each request's header, and its threads, each with one
// buffer, stay as many as they were but for an assistant.
#include "unionfs/loop.h"

#include <linux/fuse.h>
#include <malloc.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "unionfs/assistant.h"
#include "unionfs/busy_wait.h"
#include "unionfs/fuse_session.h"
#include "unionfs/ledger.h"
#include "unionfs/ring.h"
#include "unionfs/same_cpu.h"

namespace lyr::unionfs {
namespace {

// Where requests are about this many bytes of content, on average, who asks and who answers had
// better have a CPU each: the kernel reads ahead, by READs of 128 KiB, and writes behind. What
// answers take is no measure of that: it is more where the other CPU has to be woken, too.
constexpr int64_t much_content = 80 << 10;
constexpr int64_t little_content = 24 << 10;  // until then it stays so: each change costs 20 us

// So many pieces of what was written are written back one after another, each asked for before the
// last one was answered or just then, before another thread helps.
constexpr int flood = 16;
constexpr int64_t at_once_ns = 15'000;

// What the reader is to know of a request.
struct Outline {
  uint32_t asker = 0;         // the thread, by the kernel's number
  int64_t content = 0;        // bytes
  bool written_back = false;  // the kernel's page cache is, for which few wait
};

Outline outline_of(const struct fuse_buf& request) {
  Outline outline;
  struct fuse_in_header header{};
  struct fuse_write_in write{};  // a READ's begins as it does
  if (request.size < sizeof header) return outline;
  const auto* bytes = static_cast<const std::byte*>(request.mem);
  std::memcpy(&header, bytes, sizeof header);
  outline.asker = header.pid;
  if (header.opcode != FUSE_READ && header.opcode != FUSE_WRITE) return outline;
  if (request.size < sizeof header + sizeof write) return outline;
  std::memcpy(&write, bytes + sizeof header, sizeof write);
  outline.content = write.size;
  outline.written_back = header.opcode == FUSE_WRITE && (write.write_flags & FUSE_WRITE_CACHE) != 0;
  return outline;
}

// A device's reader. Alone it keeps beside who asks, or looks for requests before it sleeps and
// reads without blocking then. So it does while the assistant reads, too, who must not be left
// waiting in the device: the kernel would wake him, and not the reader, for whatever comes next.
class Reader {
 public:
  // `assistant`: of a reader that is alone, who is called when more comes than it keeps up with.
  Reader(struct fuse_session* session, const Loop& settings, Assistant* assistant)
      : session_(session),
        device_(settings.device),
        helper_(settings.helper),
        assistant_(assistant),
        spare_is_sure_(settings.spare_cpu),
        same_cpu_(settings.askers) {
    if (assistant != nullptr) spare_cpu_.emplace();
  }

  // Bytes of the next request; 0: it is unmounted; below: an errno value, negative.
  int receive(struct fuse_buf& request) {
    int got = next(request);
    // Taken from its queue just as the mount went: the next read tells how that ended (Linux,
    // fs/fuse/dev.c, fuse_dev_do_read).
    return got == -ECONNABORTED ? next(request) : got;
  }
  void answered() {
    if (!spare_cpu_) return;
    answered_at_ = sys::now_monotonic_ns();
    wait_.answered(answered_at_);
  }

 private:
  // What who asks and who answers are to do with two CPUs.
  enum class Sharing { as_it_comes, together, apart };

  int next(struct fuse_buf& request) {
    if (!spare_cpu_) return fuse_session_receive_buf(session_, &request);
    bool two = same_cpu_.possible();
    if (two) take_place();
    look(two ? sharing_ == Sharing::apart
             : wait_.looks() && spare_cpu_->at(sys::now_monotonic_ns()));
    int got = read_device(request);
    if (got <= 0) return got;
    auto outline = outline_of(request);
    int64_t now = sys::now_monotonic_ns();
    gap_ = now - answered_at_;
    if (two) {
      asker_ = outline.asker;
      content_ += (outline.content - content_) / 4;
      sharing_ = share(now);
    }
    call_assistant(outline, now);
    return got;
  }
  int read_device(struct fuse_buf& request) {
    for (;;) {
      int got = fuse_session_receive_buf(session_, &request);
      if (got != -EAGAIN) {
        if (got > 0) wait_.received(sys::now_monotonic_ns());
        return got;
      }
      if (!wait_.looks_on(sys::now_monotonic_ns())) sleep();
    }
  }
  void take_place() {
    int64_t end = answered_at_ + BusyWait::window_ns;
    if (sharing_ == Sharing::together) {
      same_cpu_.keep_until(end, gap_, asker_);
    } else if (sharing_ == Sharing::apart) {
      same_cpu_.keep_apart_until(end, asker_);
    } else {
      same_cpu_.stop();
    }
  }
  Sharing share(int64_t now) {
    bool helped = helper_ != nullptr && helper_->load(std::memory_order_relaxed);
    if (!wait_.looks() || helped || assisted()) return Sharing::as_it_comes;
    // Now, as who asked sleeps until we answer and is not among those that run, unless he goes on.
    // What is asked for beside the content is no change.
    bool apart = content_ >= (sharing_ == Sharing::apart ? little_content : much_content);
    if (!spare_cpu_->at(now, same_cpu_.running() + (apart ? 1 : 0))) return Sharing::as_it_comes;
    return apart ? Sharing::apart : Sharing::together;
  }
  void call_assistant(const Outline& outline, int64_t now) {
    flood_ = outline.written_back && gap_ < at_once_ns ? std::min(flood_ + 1, flood) : 0;
    if (assistant_ == nullptr || flood_ < flood || assisted()) return;
    if (!spare_is_sure_ && !spare_cpu_->at(now, same_cpu_.running())) return;
    look(true);
    if (looking_) assistant_->call();
  }
  bool assisted() const { return assistant_ != nullptr && assistant_->at_work(); }
  void look(bool on) {
    if (on == looking_ || (!on && assisted())) return;
    if (sys::set_nonblocking(device_, on)) looking_ = on;
  }
  void sleep() {
    struct pollfd readable{device_.get(), POLLIN, 0};
    static_cast<void>(sys::poll({&readable, 1}, -1));  // an error shows in the next read
  }

  struct fuse_session* session_;
  const Fd& device_;
  const std::atomic<bool>* helper_;
  Assistant* assistant_;
  bool spare_is_sure_;
  std::optional<SpareCpu> spare_cpu_;
  bool looking_ = false;
  BusyWait wait_;
  SameCpu same_cpu_;
  int64_t answered_at_ = 0;
  int64_t content_ = 0;  // bytes, of a request of late, on average
  int64_t gap_ = 0;      // ns from the last answer to the request after it
  uint32_t asker_ = 0;   // who made that request
  int flood_ = 0;        // pieces written back at once
  Sharing sharing_ = Sharing::as_it_comes;
};

// What the session was opened with, for a server that came after that. The kernel takes no answer
// to it any more, which libfuse does not mind.
void open_again(struct fuse_session* session, std::span<const std::byte> init) {
  std::vector<std::byte> copy(init.begin(), init.end());
  struct fuse_buf request{};
  request.mem = copy.data();
  request.size = copy.size();
  fuse_session_process_buf(session, &request);
}

// Has the kernel send again what was read from the device but not answered. ENOTRECOVERABLE: it
// cannot, before Linux 6.9.
Result<> ask_again(const Fd& device) {
  constexpr int resend = 7;  // FUSE_NOTIFY_RESEND, which older headers lack
  struct fuse_out_header message{};
  message.len = sizeof message;
  message.error = resend;
  auto sent = sys::write_all(device, std::as_bytes(std::span(&message, 1)));
  if (!sent && sent.error().code == EINVAL) return fail(ENOTRECOVERABLE, "FUSE_NOTIFY_RESEND");
  return sent;
}

constexpr int forget_pause_ms = 1;
constexpr size_t request_bytes_max = (1 << 20) + (64 << 10);  // a WRITE, and what is about it

// One of the threads that serve.
class Worker {
 public:
  Worker(struct fuse_session* session, const Loop& settings, unsigned thread,
         Assistant* assistant = nullptr)
      : session_(session),
        settings_(settings),
        reader_(session, settings, assistant),
        opened_(thread != 0) {
    current_request.thread = thread;
    if (settings.ledger == nullptr) return;
    if (thread == 0 && !settings.ledger->resumed()) return;
    // libfuse takes a buffer that is there: no request of ours is longer.
    request_.mem = std::malloc(request_bytes_max);
    if (request_.mem != nullptr) populate();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { std::free(request_.mem); }

  // One request. False: there are no more.
  bool serve() {
    if (fuse_session_exited(session_) != 0) return false;
    do {
      got_ = reader_.receive(request_);
    } while (got_ == -EINTR);
    if (got_ <= 0) return false;
    answer();
    reader_.answered();
    // Nobody waits for it: better many at once than a thread more to wake for each.
    bool forgets = opcode_ == FUSE_FORGET || opcode_ == FUSE_BATCH_FORGET;
    if (settings_.ring != nullptr && settings_.ring->serves() && forgets)
      static_cast<void>(sys::poll({}, forget_pause_ms));
    return true;
  }
  // The assistant's: one that is there already. False: it need not stay for that.
  bool serve_queued() {
    if (fuse_session_receive_buf(session_, &request_) <= 0) return false;
    bool written_back = outline_of(request_).written_back;
    answer();
    return written_back;
  }
  // 0, or the errno value that ended it.
  int ended() const { return got_ < 0 ? -got_ : 0; }

 private:
  void answer() {
    note();
    fuse_session_process_buf(session_, &request_);
    if (settings_.ledger != nullptr && !populated_) populate();
  }
  void note() {
    struct fuse_in_header header{};
    if (request_.size < sizeof header) return;
    std::memcpy(&header, request_.mem, sizeof header);
    opcode_ = header.opcode;
    if (settings_.counts != nullptr) settings_.counts->count(header.opcode);
    note_more({static_cast<const std::byte*>(request_.mem), request_.size}, opcode_);
    if (settings_.ledger == nullptr) return;
    current_request.unique = header.unique & ~sent_again;
    current_request.again = (header.unique & sent_again) != 0;
    if (opened_) return;
    opened_ = true;
    auto init = settings_.ledger->init();
    if (header.opcode == FUSE_INIT) {
      settings_.ledger->keep_init({static_cast<const std::byte*>(request_.mem), request_.size});
    } else if (!init.empty()) {
      open_again(session_, init);
    }
  }
  // The kernel gives up a request (EIO) when who reads it is killed just as it needs new pages for
  // it. So it never does; the first request of all is a small one, and in a hurry.
  void populate() {
    size_t bytes = ::malloc_usable_size(request_.mem);
    static_cast<void>(sys::populate({static_cast<std::byte*>(request_.mem), bytes}));
    populated_ = true;
  }

  struct fuse_session* session_;
  const Loop& settings_;
  Reader reader_;
  struct fuse_buf request_{};
  uint32_t opcode_ = 0;  // of the last request
  bool opened_;          // the session, which the first request does
  bool populated_ = false;
  int got_ = 0;
};

}  // namespace

Result<> loop(struct fuse_session* session, const Loop& settings) {
  if (settings.ledger != nullptr && settings.ledger->resumed()) {
    TRY(sys::set_nonblocking(settings.device, false));  // the one before may have left it so
    TRY(ask_again(settings.device));
  }
  unsigned threads = settings.ring == nullptr ? static_cast<unsigned>(settings.threads) : 1;
  auto cpus = sys::cpus_allowed();  // before the reader keeps to one of them
  Assistant assistant([&]() -> Assistant::Work {
    // Where that fails it works beside the reader.
    if (cpus) static_cast<void>(sys::allow_cpus(*cpus));
    auto worker = std::make_shared<Worker>(session, settings, threads);
    return [worker] { return worker->serve_queued(); };
  });
  Worker first(session, settings, 0,
               threads == 1 && settings.ring == nullptr ? &assistant : nullptr);
  bool more = first.serve();  // this opens the session: until then there is one thread
  if (settings.ring != nullptr) settings.ring->start(session, settings.counts);
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) {
    others.emplace_back([session, &settings, i] {
      Worker worker(session, settings, i);
      while (worker.serve()) continue;
    });
  }
  while (more) more = first.serve();
  others.clear();
  return first.ended() == 0 ? Result<>() : fail(first.ended(), "read /dev/fuse");
}

}  // namespace lyr::unionfs
