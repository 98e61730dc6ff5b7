// SPDX-License-Identifier: Apache-2.0
#include "unionfs/push_ahead.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/sys_process.h"

namespace lyr::unionfs {
namespace {

constexpr size_t window_min = 16;  // files, at first

}  // namespace

void Expectation::begin(Ino ino) {
  cursor_ = order_.at(ino);
  ahead_.clear();
  bytes_ = window_ = next_ = 0;
  ended_ = waits_ = false;
  fill();
}

bool Expectation::asked(Ino ino) {
  auto found = std::ranges::find(ahead_, ino, &File::ino);
  if (found == ahead_.end()) return false;
  for (auto passed = ahead_.begin(); passed <= found; ++passed) bytes_ -= passed->bytes;
  auto count = static_cast<size_t>(found - ahead_.begin()) + 1;
  ahead_.erase(ahead_.begin(), found + 1);
  next_ -= std::min(next_, count);
  waits_ = false;
  if (ahead_.size() <= looks_ahead + window_ / 2) {
    window_ = std::clamp(2 * window_, window_min, files_max);
    fill();
    // Who is there will ask for it, and so tell in time that more is wanted.
    size_t teller = to_push() * 3 / 4;
    if (teller < ahead_.size()) ahead_[teller].done = true;
  }
  if (!ahead_.empty()) ahead_.front().done = true;  // it is asked for before we are at it
  return true;
}

void Expectation::fill() {
  while (!ended_ && ahead_.size() < window_ + looks_ahead) {
    if (bytes_ > bytes_max && ahead_.size() > looks_ahead) return;
    Ino ino = order_.next_file(cursor_);
    ended_ = ino == no_ino;
    if (ended_) return;
    uint64_t bytes = tree_.attr(ino).size;
    bool large = bytes > file_bytes_max;
    ahead_.push_back({ino, large ? 0 : static_cast<uint32_t>(bytes), large});
    bytes_ += ahead_.back().bytes;
  }
}

size_t Expectation::to_push() const {
  if (window_ == 0) return 0;
  return ahead_.size() - std::min(ended_ ? 0 : looks_ahead, ahead_.size());
}

const Expectation::File* Expectation::next() {
  if (waits_) return nullptr;
  while (next_ < to_push() && ahead_[next_].done) ++next_;
  return next_ < to_push() ? &ahead_[next_] : nullptr;
}

void Expectation::pushed(Ino ino, bool known) {
  // Other names of the same file may be before it.
  auto found =
      std::ranges::find_if(ahead_, [&](const File& file) { return file.ino == ino && !file.done; });
  if (found == ahead_.end()) return;  // it was asked for meanwhile
  found->done = known;
  waits_ = !known;
}

PushAhead::PushAhead(const Lower& lower, const store::Tree& tree, Store store,
                     std::atomic<uint64_t>* pushes)
    : lower_(lower), tree_(tree), store_(std::move(store)), pushes_(pushes) {
  auto cpus = sys::cpus_allowed();
  if (cpus) cpus_ = std::move(*cpus);
}

PushAhead::~PushAhead() {
  {
    std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PushAhead::asked(Ino ino) {
  if (reads_.load(std::memory_order_relaxed) < reads_before) {
    reads_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::scoped_lock lock(mutex_);
  if (refused_ || (!thread_.joinable() && !start()) || order_ == nullptr) return;
  ++asked_;
  for (auto& stream : streams_) {
    if (!stream->expected.asked(ino)) continue;
    stream->used = asked_;
    wake_.notify_one();
    return;
  }
  if (streams_.size() < streams_max)
    streams_.push_back(std::make_unique<Stream>(Expectation(*order_, tree_)));
  auto& oldest =
      **std::ranges::min_element(streams_, {}, [](auto& stream) { return stream->used; });
  oldest.expected.begin(ino);
  oldest.used = asked_;
}

bool PushAhead::start() {
  works_ = true;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    works_ = false;
    refused_ = true;
  }
  return !refused_;
}

void PushAhead::run() {
  sys::name_thread("lyr-push-ahead");
  if (!cpus_.empty()) static_cast<void>(sys::allow_cpus(cpus_));
  auto order = std::make_unique<ScanOrder>(tree_);
  std::vector<std::byte> buffer(Expectation::file_bytes_max);
  std::unique_lock lock(mutex_);
  order_ = std::move(order);
  for (;;) {
    Expectation* expected = nullptr;
    const Expectation::File* file = nullptr;
    for (auto& stream : streams_) {
      if (file != nullptr) break;
      expected = &stream->expected;
      file = expected->next();
    }
    if (ended_) return;
    works_.store(file != nullptr, std::memory_order_relaxed);
    if (file == nullptr) {
      wake_.wait(lock);
      continue;
    }
    Ino ino = file->ino;
    auto content = std::span(buffer).first(file->bytes);
    lock.unlock();
    bool known = push(ino, content);
    lock.lock();
    expected->pushed(ino, known);
  }
}

// False: the kernel does not know the file. What else goes wrong is for who asks for it to see.
bool PushAhead::push(Ino ino, std::span<std::byte> content) {
  auto got = lower_.read(ino, 0, content);
  if (!got || *got != content.size()) return true;
  auto stored = store_(ino, content);
  if (!stored) return stored.error().code != ENOENT;
  if (pushes_ != nullptr) pushes_->fetch_add(1);
  return true;
}

}  // namespace lyr::unionfs
