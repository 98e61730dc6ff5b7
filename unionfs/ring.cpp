// SPDX-License-Identifier: Apache-2.0
#include "unionfs/ring.h"

#include <fcntl.h>
#include <linux/fuse.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/sys_command_ring.h"
#include "base/sys_file.h"
#include "base/sys_message.h"
#include "base/sys_process.h"
#include "base/sys_read_batch.h"
#include "unionfs/fuse_session.h"
#include "unionfs/intent.h"

namespace lyr::unionfs {
namespace {

// Of linux/fuse.h since 6.14, which older headers lack.
constexpr uint32_t over_io_uring = uint32_t{1} << (41 - 32);  // FUSE_OVER_IO_URING, of flags2
constexpr uint32_t register_entry = 1;                        // FUSE_IO_URING_CMD_REGISTER
constexpr uint32_t commit_and_fetch = 2;                      // FUSE_IO_URING_CMD_COMMIT_AND_FETCH
struct RequestHeader {                                        // struct fuse_uring_req_header
  std::array<std::byte, 128> in_out;                          // fuse_in_header, fuse_out_header
  std::array<std::byte, 128> operation;                       // what follows it, but for payload
  uint64_t flags;
  uint64_t commit_id;
  uint32_t payload_bytes;
  uint32_t padding;
  uint64_t reserved;
};
struct EntryCommand {  // struct fuse_uring_cmd_req
  uint64_t flags;
  uint64_t commit_id;
  uint16_t queue;
  std::array<uint8_t, 6> padding;
};

constexpr unsigned entries_a_queue = 8;
// A queue on whose CPU the kernel writes back needs one while others wait for that.
static_assert(entries_a_queue > Ring::late_answers_max);
constexpr size_t payload_bytes_max = 1 << 20;  // a WRITE's or READ's, which the session bounds
// Before a payload there is room for all that stands before it when it comes by the device.
constexpr size_t page_bytes = 4096;
constexpr size_t room_before = page_bytes;
static_assert(room_before >= sizeof(struct fuse_in_header) + sizeof(RequestHeader::operation));

enum State : int { waiting, serving, ended };

constexpr char possible_path[] = "/sys/devices/system/cpu/possible";
constexpr char switch_path[] = "/sys/module/fuse/parameters/enable_uring";

// One for each CPU that the machine may have: the kernel waits for the last of them.
Result<unsigned> queue_count() {
  std::string ranges = TRY(sys::read_file_at(sys::cwd(), possible_path, 4096));  // "0-3"
  size_t last = ranges.find_last_of("-,");
  last = last == std::string::npos ? 0 : last + 1;
  unsigned cpu = 0;
  auto parsed = std::from_chars(ranges.data() + last, ranges.data() + ranges.size(), cpu);
  if (parsed.ec != std::errc()) return fail(EINVAL, possible_path);
  return cpu + 1;
}

}  // namespace

// A request that the kernel has handed over or will.
struct Ring::Entry {
  RequestHeader header;
  std::unique_ptr<std::byte[]> memory;
  std::byte* start = nullptr;           // in it: of a page's room, and of the payload after that
  std::array<struct iovec, 2> buffers;  // as they are registered
  uint32_t last = 0;                    // what was sent
  std::atomic<uint64_t> unique = 0;     // 0: it is the kernel's
  uint64_t commit_id = 0;

  // The kernel copies page by page.
  void make_memory() {
    size_t bytes = room_before + payload_bytes_max;
    size_t space = bytes + page_bytes;
    memory = std::make_unique_for_overwrite<std::byte[]>(space);
    void* aligned = memory.get();
    start = static_cast<std::byte*>(std::align(page_bytes, bytes, aligned, space));
    buffers = {{{&header, sizeof header}, {payload(), payload_bytes_max}}};
  }
  std::byte* payload() { return start + room_before; }
  // The request as it would have come by the device; empty: that cannot be.
  std::span<std::byte> joined() {
    struct fuse_in_header in{};
    std::memcpy(&in, header.in_out.data(), sizeof in);
    size_t before = sizeof in + header.payload_bytes;
    if (in.len < before || in.len - before > header.operation.size()) return {};
    size_t operation = in.len - before;
    std::byte* begin = payload() - operation - sizeof in;
    std::memcpy(begin, &in, sizeof in);
    std::memcpy(begin + sizeof in, header.operation.data(), operation);
    return {begin, in.len};
  }
  // Writes down an answer, or that it is too long.
  void answer(std::span<const struct iovec> message) {
    struct fuse_out_header out{};
    std::memcpy(&out, message[0].iov_base, sizeof out);
    size_t used = 0;
    for (const struct iovec& part : message.subspan(1)) {
      if (part.iov_len > payload_bytes_max - used) {
        out.error = -EIO;
        used = 0;
        break;
      }
      if (part.iov_base != payload() + used)
        std::memcpy(payload() + used, part.iov_base, part.iov_len);
      used += part.iov_len;
    }
    out.len = static_cast<uint32_t>(sizeof out + used);
    std::memcpy(header.in_out.data(), &out, sizeof out);
    header.payload_bytes = static_cast<uint32_t>(used);
  }
};

class Ring::Queue {
 public:
  Queue(Ring& owner, unsigned cpu, std::unique_ptr<sys::CommandRing> ring)
      : owner_(owner), cpu_(cpu), ring_(std::move(ring)) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { stop(); }
  void stop() {  // once its owner's state is `ended`
    ring_->wake();
    if (thread_.joinable()) thread_.join();
  }

  Result<> start_thread() {
    for (Entry& entry : entries_) entry.make_memory();
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
      return fail(error.code().value(), "pthread_create");
    }
    return {};
  }
  Entry* find(uint64_t unique) {
    for (Entry& entry : entries_) {
      if (entry.unique == unique) return &entry;
    }
    return nullptr;
  }
  // Of a request that the calling thread was given, or of another one.
  static bool answer_current(uint64_t unique, std::span<const struct iovec> message) {
    if (current == nullptr || current->unique != unique) return false;
    current->answer(message);
    current->unique = 0;
    here->commit(*current);
    return true;
  }
  void answer_later(Entry& entry, std::span<const struct iovec> message) {
    entry.answer(message);
    entry.unique = 0;
    {
      std::scoped_lock lock(mutex_);
      answered_elsewhere_.push_back(&entry);
    }
    ring_->wake();
  }

  // Of the calling thread: what it is to answer, and where that came from.
  static thread_local Entry* current;
  static thread_local Queue* here;

 private:
  void run();
  void serve(Entry& entry);
  void done(Entry& entry, int result);
  void queue(Entry& entry, uint32_t operation);
  void commit(Entry& entry) { queue(entry, commit_and_fetch); }
  void commit_answered_elsewhere() {
    std::scoped_lock lock(mutex_);
    for (Entry* entry : answered_elsewhere_) commit(*entry);
    answered_elsewhere_.clear();
  }

  Ring& owner_;
  unsigned cpu_;
  std::unique_ptr<sys::CommandRing> ring_;
  std::array<Entry, entries_a_queue> entries_;
  unsigned lost_ = 0;  // of them: nothing will come any more
  std::thread thread_;
  std::mutex mutex_;
  std::vector<Entry*> answered_elsewhere_;
};

thread_local Ring::Entry* Ring::Queue::current = nullptr;
thread_local Ring::Queue* Ring::Queue::here = nullptr;

void Ring::Queue::queue(Entry& entry, uint32_t operation) {
  entry.last = operation;
  EntryCommand command{};
  command.queue = static_cast<uint16_t>(cpu_);
  if (operation == commit_and_fetch) command.commit_id = entry.commit_id;
  ring_->queue({.operation = operation,
                .bytes = std::as_bytes(std::span(&command, 1)),
                .buffers = operation == register_entry
                               ? std::span<const struct iovec>(entry.buffers)
                               : std::span<const struct iovec>(),
                .tag = static_cast<uint64_t>(&entry - entries_.data())});
}

void Ring::Queue::run() {
  sys::name_thread("lyr-ring");
  const int cpu = static_cast<int>(cpu_);
  // Who was started elsewhere, or may be elsewhere, is answered from wherever we may be.
  bool may = std::ranges::find(owner_.cpus_, cpu) != owner_.cpus_.end();
  if (may) static_cast<void>(sys::allow_cpus(std::span(&cpu, 1)));
  owner_.state_.wait(waiting);
  if (owner_.state_ == ended) return;
  for (Entry& entry : entries_) queue(entry, register_entry);
  while (owner_.state_ == serving && lost_ < entries_.size()) {
    auto waited = ring_->wait([this](uint64_t tag, int result) { done(entries_[tag], result); });
    CHECK(waited.has_value());  // as in done()
    commit_answered_elsewhere();
  }
}

void Ring::Queue::done(Entry& entry, int result) {
  if (result == 0) return serve(entry);
  if (result == -EINTR || result == -EAGAIN) return queue(entry, entry.last);
  // It is unmounted; or it was not to be by rings, and all comes by the device. Anything else would
  // leave who asks waiting for ever: better the connection ends with us.
  bool registers = entry.last == register_entry;
  bool ends = result == -ENOTCONN || result == -ECONNABORTED || result == -ECANCELED ||
              (result == -ENOENT && !registers);  // aborted just now
  CHECK(ends || (result == -EOPNOTSUPP && registers));
  ++lost_;
  owner_.serves_ = false;
}

void Ring::Queue::serve(Entry& entry) {
  entry.commit_id = entry.header.commit_id;
  struct fuse_in_header in{};
  std::memcpy(&in, entry.header.in_out.data(), sizeof in);
  auto request = entry.joined();
  entry.unique = in.unique;
  if (request.empty()) {
    struct fuse_out_header refused{.len = sizeof refused, .error = -EIO, .unique = in.unique};
    struct iovec message{&refused, sizeof refused};
    entry.answer({&message, 1});
    entry.unique = 0;
    return commit(entry);
  }
  note_more(request, in.opcode);
  owner_.pace_.received();
  if (owner_.counts_ != nullptr) owner_.counts_->count(in.opcode);
  struct fuse_buf buffer{};
  buffer.mem = request.data();
  buffer.size = request.size();
  current = &entry;
  here = this;
  fuse_session_process_buf(owner_.session_, &buffer);
  current = nullptr;
  owner_.pace_.answered();
}

Result<> may_use_ring() {
  auto says = sys::read_file_at(sys::cwd(), switch_path, 16);
  if (!says && says.error().code == ENOENT)
    return fail_saying(ENOTSUP, "it takes Linux 6.14 with the fuse module loaded");
  if (!says) return std::unexpected(std::move(says).error());
  if (!says->starts_with('Y'))
    return fail_saying(ENOTSUP,
                       std::string("root of the host has not allowed it: echo Y >") + switch_path);
  auto ring = sys::try_ring();
  if (!ring)
    return fail_saying(ring.error().code, "io_uring is refused: " + describe(ring.error()));
  if (!FuseSession::can_be_by_ring())
    return fail_saying(ENOTSUP, "lyr was built with a libfuse without -Denable-custom-io=true");
  return {};
}

Result<std::unique_ptr<Ring>> Ring::make(Fd device) {
  std::unique_ptr<Ring> made(new Ring(std::move(device)));
  made->cpus_ = TRY(sys::cpus_allowed());
  unsigned count = TRY(queue_count());
  for (unsigned cpu = 0; cpu < count; ++cpu) {
    auto ring = TRY(sys::CommandRing::make(made->device_, entries_a_queue));
    made->queues_.push_back(std::make_unique<Queue>(*made, cpu, std::move(ring)));
    TRY(made->queues_.back()->start_thread());
  }
  return made;
}

Ring::Ring(Fd device) : device_(std::move(device)) {}
Ring::~Ring() { stop(); }

void Ring::stop() {
  state_ = ended;
  state_.notify_all();
  for (auto& queue : queues_) queue->stop();
}

void Ring::start(struct fuse_session* session, RequestCounts* counts) {
  session_ = session;
  counts_ = counts;
  state_ = serving;
  state_.notify_all();
}

std::span<std::byte> Ring::room() {
  Entry* entry = Queue::current;
  return entry == nullptr ? std::span<std::byte>()
                          : std::span<std::byte>(entry->payload(), payload_bytes_max);
}

// The answer to INIT is the first of all. libfuse does not know that it will be by rings.
ssize_t Ring::open_session(std::span<const struct iovec> answer) {
  opened_ = true;
  std::vector<std::byte> whole;
  for (const struct iovec& part : answer) {
    auto* begin = static_cast<const std::byte*>(part.iov_base);
    whole.insert(whole.end(), begin, begin + part.iov_len);
  }
  struct fuse_init_out init{};
  if (whole.size() >= sizeof(struct fuse_out_header) + sizeof init) {
    std::byte* at = whole.data() + sizeof(struct fuse_out_header);
    std::memcpy(&init, at, sizeof init);
    init.flags2 |= over_io_uring;
    std::memcpy(at, &init, sizeof init);
  }
  struct iovec message{whole.data(), whole.size()};
  auto written = sys::write_message(device_, {&message, 1});
  if (!written) errno = written.error().code;
  return written ? static_cast<ssize_t>(*written) : -1;
}

Ring::Entry* Ring::find(uint64_t unique, Queue*& queue) {
  for (auto& each : queues_) {
    Entry* entry = each->find(unique);
    queue = each.get();
    if (entry != nullptr) return entry;
  }
  return nullptr;
}

ssize_t Ring::write(std::span<const struct iovec> message) {
  struct fuse_out_header out{};
  std::memcpy(&out, message[0].iov_base, sizeof out);
  if (!opened_) return open_session(message);
  if (out.unique != 0 && Queue::answer_current(out.unique, message)) return out.len;
  Queue* queue = nullptr;
  Entry* entry = out.unique == 0 ? nullptr : find(out.unique, queue);
  if (entry != nullptr) {
    queue->answer_later(*entry, message);
    return out.len;
  }
  auto written = sys::write_message(device_, message);
  if (!written) errno = written.error().code;
  return written ? static_cast<ssize_t>(*written) : -1;
}

}  // namespace lyr::unionfs
