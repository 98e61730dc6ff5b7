// SPDX-License-Identifier: Apache-2.0
#include "store/pack_writes.h"

#include <utility>

#include "base/sys_file.h"

namespace lyr::store {
namespace {

Failure again(const Error& error) {
  Error copy{error.code, error.call, nullptr};
  if (error.subject) copy.subject = std::make_unique<std::string>(*error.subject);
  return Failure(std::move(copy));
}

}  // namespace

Result<> PackWrites::add(std::shared_ptr<const Fd> file, std::string name, uint64_t offset,
                         std::vector<std::byte> bytes) {
  bool too_many = false;
  {
    std::scoped_lock lock(mutex_);
    if (!failure_) return again(failure_.error());
    waiting_bytes_ += bytes.size();
    waiting_.push_back({std::move(file), std::move(name), offset, std::move(bytes)});
    too_many = waiting_bytes_ > pack_writes_bytes_max;
  }
  return too_many ? finish() : Result<>();
}

Result<> PackWrites::finish() {
  std::unique_lock lock(mutex_);
  while (failure_ && !waiting_.empty()) {
    Write write = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= write.bytes.size();
    ++in_flight_;
    lock.unlock();
    auto done = sys::pwrite_all(*write.file, write.bytes, write.offset);
    // The disk works while we do; that it refuses is no matter, since sealing waits for all.
    if (done)
      static_cast<void>(sys::start_writeback(*write.file, write.offset, write.bytes.size()));
    write.bytes.clear();
    lock.lock();
    --in_flight_;
    if (!done && failure_) failure_ = about(std::move(done), write.name);
    spare_.push_back(std::move(write.bytes));
    written_.notify_all();
  }
  written_.wait(lock, [this] { return in_flight_ == 0; });
  return failure_ ? Result<>() : again(failure_.error());
}

std::vector<std::byte> PackWrites::spare_buffer() {
  std::scoped_lock lock(mutex_);
  if (spare_.empty()) return {};
  auto buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

}  // namespace lyr::store
