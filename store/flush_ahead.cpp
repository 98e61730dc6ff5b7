// SPDX-License-Identifier: Apache-2.0
#include "store/flush_ahead.h"

#include <system_error>
#include <utility>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::store {

FlushAhead::~FlushAhead() {
  {
    std::scoped_lock lock(mutex_);
    due_ = nullptr;
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FlushAhead::wrote(const std::shared_ptr<const Fd>& file, const std::string& name,
                       uint64_t bytes) {
  std::scoped_lock lock(mutex_);
  unflushed_bytes_ += bytes;
  if (unflushed_bytes_ < flush_ahead_bytes || flushing_ || refused_) return;
  if (!thread_.joinable() && !start()) return;
  unflushed_bytes_ = 0;
  due_ = file;
  due_name_ = name;
  changed_.notify_all();
}

bool FlushAhead::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    refused_ = true;
  }
  return !refused_;
}

void FlushAhead::run() {
  sys::name_thread("lyr-flush");
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return due_ != nullptr || ended_; });
    if (due_ == nullptr) return;
    auto file = std::exchange(due_, nullptr);
    std::string name = due_name_;
    flushing_ = true;
    lock.unlock();
    auto done = about(sys::fdatasync(*file), name);
    file = nullptr;
    lock.lock();
    if (!done && failure_) failure_ = std::move(done);
    flushing_ = false;
    changed_.notify_all();
  }
}

Result<> FlushAhead::finish(const Fd& file, const std::string& name) {
  {
    std::scoped_lock lock(mutex_);
    due_ = nullptr;
    unflushed_bytes_ = 0;
  }
  auto done = about(sys::fdatasync(file), name);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !flushing_; });
  return failure_ ? std::move(done) : fail_again(failure_.error());
}

}  // namespace lyr::store
