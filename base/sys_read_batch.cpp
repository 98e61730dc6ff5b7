// SPDX-License-Identifier: Apache-2.0
#include "base/sys_read_batch.h"

#include <liburing.h>
#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

namespace lyr::sys {
namespace {

using PartVectors = std::array<struct iovec, 2>;

// What is left of the part when `done` bytes of it are there.
PartVectors rest_of(const ReadPart& part, size_t done) {
  auto head = part.head.subspan(std::min(done, part.head.size()));
  auto data = part.data.subspan(done - (part.head.size() - head.size()));
  return {{{head.data(), head.size()}, {data.data(), data.size()}}};
}

// From where `part.got` stands on.
void read_rest(ReadPart& part) {
  size_t done = *part.got;
  while (done < part.size()) {
    PartVectors into = rest_of(part, done);
    ssize_t count = ::preadv(part.file->get(), into.data(), static_cast<int>(into.size()),
                             static_cast<off_t>(part.offset + done));
    if (count == -1 && errno == EINTR) continue;
    if (count == -1) {
      part.got = fail_errno("read");
      return;
    }
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  part.got = done;
}

// Whether the kernel can say at once that a part is not in the page cache. Where it cannot, as on
// tmpfs, a ring has every read done by a thread that is woken for it.
bool tells_at_once(const ReadPart& part) {
  std::byte one{};
  struct iovec into{&one, 1};
  ssize_t got = ::preadv2(part.file->get(), &into, 1, static_cast<off_t>(part.offset), RWF_NOWAIT);
  return got >= 0 || errno != EOPNOTSUPP;
}

// A host that says so will say so again; of descriptors and memory there may be more later.
bool is_for_good(int code) { return code != EMFILE && code != ENFILE && code != ENOMEM; }

}  // namespace

// One thread's at a time. A child that was forked has a ring of its parent's: it is not to be used.
class ReadBatches::Ring {
 public:
  static Result<std::unique_ptr<Ring>> make() {
    struct io_uring ring{};
    int made = io_uring_queue_init(ring_parts_max, &ring, 0);
    if (made < 0) return fail(-made, "io_uring_setup");
    return std::unique_ptr<Ring>(new Ring(ring));
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { io_uring_queue_exit(&ring_); }

  bool is_ours() const { return process_ == ::getpid(); }
  // At most ring_parts_max parts; notes what each gets at once. False: the ring is not to be used
  // again, and some parts may have got nothing.
  bool read(std::span<ReadPart> parts);

 private:
  explicit Ring(const struct io_uring& ring) : ring_(ring), process_(::getpid()) {}
  void take_done(std::span<ReadPart> parts, size_t& under_way);

  struct io_uring ring_;
  pid_t process_;
};

void ReadBatches::Ring::take_done(std::span<ReadPart> parts, size_t& under_way) {
  struct io_uring_cqe* done = nullptr;
  while (io_uring_peek_cqe(&ring_, &done) == 0) {
    // What failed is asked for again without a ring, and says so itself.
    if (done->res > 0) {
      parts[io_uring_cqe_get_data64(done)].got = static_cast<size_t>(done->res);
    }
    io_uring_cqe_seen(&ring_, done);
    --under_way;
  }
}

bool ReadBatches::Ring::read(std::span<ReadPart> parts) {
  std::array<PartVectors, ring_parts_max> vectors;
  for (size_t i = 0; i < parts.size(); ++i) {
    struct io_uring_sqe* asked = io_uring_get_sqe(&ring_);
    vectors[i] = rest_of(parts[i], 0);
    io_uring_prep_readv(asked, parts[i].file->get(), vectors[i].data(), vectors[i].size(),
                        parts[i].offset);
    io_uring_sqe_set_data64(asked, i);
  }
  size_t submitted = 0;
  size_t under_way = 0;
  while (submitted < parts.size()) {
    auto left = static_cast<unsigned>(parts.size() - submitted);
    int taken = io_uring_submit_and_wait(&ring_, left);
    if (taken == -EINTR) continue;
    if (taken <= 0) break;
    submitted += static_cast<size_t>(taken);
    under_way += static_cast<size_t>(taken);
  }
  // What is under way writes to the caller's memory: there is no leaving before it is done.
  for (;;) {
    take_done(parts, under_way);
    if (under_way == 0) break;
    struct io_uring_cqe* done = nullptr;
    if (io_uring_wait_cqe(&ring_, &done) < 0) ::sched_yield();
  }
  return submitted == parts.size();
}

Result<> try_ring() {
  struct io_uring ring{};
  int made = io_uring_queue_init(1, &ring, 0);
  if (made < 0) return fail(-made, "io_uring_setup");
  io_uring_queue_exit(&ring);
  return {};
}

ReadBatches::ReadBatches(ReadWay way) : refused_(way == ReadWay::one_by_one) {}
ReadBatches::~ReadBatches() = default;

std::unique_ptr<ReadBatches::Ring> ReadBatches::take_ring() {
  std::scoped_lock lock(mutex_);
  if (refused_) return nullptr;
  while (!idle_.empty()) {
    auto ring = std::move(idle_.back());
    idle_.pop_back();
    if (ring->is_ours()) return ring;
  }
  auto made = Ring::make();
  if (made) return std::move(*made);
  refused_ = is_for_good(made.error().code);
  return nullptr;
}

void ReadBatches::give_back(std::unique_ptr<Ring> ring) {
  std::scoped_lock lock(mutex_);
  if (idle_.size() < kept_rings_max) idle_.push_back(std::move(ring));
}

void ReadBatches::read(std::span<ReadPart> parts) {
  for (ReadPart& part : parts) part.got = size_t{0};
  auto ring = parts.size() > 1 && tells_at_once(parts[0]) ? take_ring() : nullptr;
  for (auto left = parts; ring && !left.empty();) {
    auto some = left.first(std::min<size_t>(left.size(), ring_parts_max));
    left = left.subspan(some.size());
    if (!ring->read(some)) ring.reset();
  }
  if (ring) give_back(std::move(ring));
  for (ReadPart& part : parts) read_rest(part);
}

}  // namespace lyr::sys
