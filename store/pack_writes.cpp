// SPDX-License-Identifier: Apache-2.0
#include "store/pack_writes.h"

#include <algorithm>
#include <utility>

#include "base/sys_file.h"

namespace lyr::store {
Result<> PackWrites::add(std::shared_ptr<const Fd> file, std::string name, uint64_t offset,
                         PackBytes bytes) {
  bool too_many = false;
  {
    std::scoped_lock lock(mutex_);
    if (!failure_) return fail_again(failure_.error());
    waiting_bytes_ += bytes.size();
    waiting_.push_back({std::move(file), std::move(name), offset, std::move(bytes), added_++});
    too_many = waiting_bytes_ > pack_writes_bytes_max;
  }
  return too_many ? finish() : Result<>();
}

// Holds `lock` except while it writes.
void PackWrites::write_waiting(std::unique_lock<std::mutex>& lock, uint64_t count) {
  while (failure_ && !waiting_.empty() && waiting_.front().number < count) {
    Write write = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= write.bytes.size();
    in_flight_.push_back(write.number);
    lock.unlock();
    auto done = sys::pwritev_all(*write.file, write.bytes.parts(), write.offset);
    // The disk works while we do; that it refuses is no matter, since sealing waits for all.
    if (done) {
      static_cast<void>(sys::start_writeback(*write.file, write.offset, write.bytes.size()));
      flush_.wrote(write.file, write.name, write.bytes.size());
    }
    write.bytes.clear();
    lock.lock();
    std::erase(in_flight_, write.number);
    if (!done && failure_) failure_ = about(std::move(done), write.name);
    spare_.push_back(std::move(write.bytes));
    written_.notify_all();
  }
}

Result<> PackWrites::help() {
  std::unique_lock lock(mutex_);
  write_waiting(lock, UINT64_MAX);
  return failure_ ? Result<>() : fail_again(failure_.error());
}

bool PackWrites::waiting() {
  std::scoped_lock lock(mutex_);
  return failure_ && !waiting_.empty();
}

uint64_t PackWrites::added() {
  std::scoped_lock lock(mutex_);
  return added_;
}

Result<> PackWrites::finish(uint64_t count) {
  std::unique_lock lock(mutex_);
  write_waiting(lock, count);
  written_.wait(lock, [&] {
    return std::ranges::none_of(in_flight_, [&](uint64_t number) { return number < count; });
  });
  return failure_ ? Result<>() : fail_again(failure_.error());
}

Result<> PackWrites::make_durable(const Fd& file, const std::string& name) {
  TRY(finish());
  return flush_.finish(file, name);
}

PackBytes PackWrites::spare_buffer() {
  std::scoped_lock lock(mutex_);
  if (spare_.empty()) return {};
  auto buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

}  // namespace lyr::store
