// SPDX-License-Identifier: Apache-2.0
#include "unionfs/copy_ahead.h"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::unionfs {
namespace {

constexpr size_t turn_bytes = 1 << 20;  // where one thread reads and writes

Result<> read_piece(const CopyAhead& copy, uint64_t at, std::span<std::byte> piece) {
  while (!piece.empty()) {
    size_t got = TRY(copy.read(at, piece));
    if (got == 0) return fail(EIO, "copy-up");  // it has become shorter
    at += got;
    piece = piece.subspan(got);
  }
  return {};
}

// The range's pieces, in order, as a thread of its own reads them.
class PiecesAhead {
 public:
  PiecesAhead(const CopyAhead& copy, uint64_t at, uint64_t end)
      : copy_(copy), begin_(at), end_(end) {}
  PiecesAhead(const PiecesAhead&) = delete;
  PiecesAhead& operator=(const PiecesAhead&) = delete;
  ~PiecesAhead() {
    {
      std::scoped_lock lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  // False: no more threads are allowed.
  bool start() {
    // Left alone the two often take turns on the CPU that who writes wakes the other one on.
    std::ranges::remove_copy(copy_.cpus, std::back_inserter(others_), sys::current_cpu());
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  // The next piece; it is the caller's until done().
  Result<std::span<const std::byte>> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return written_ < read_ || failed_; });
    if (written_ == read_) return std::unexpected(std::move(*failed_));
    return std::span<const std::byte>(piece(written_));
  }
  void done() {
    {
      std::scoped_lock lock(mutex_);
      ++written_;
    }
    changed_.notify_one();
  }

 private:
  static constexpr size_t pieces_max = 4;  // that are read, but not written

  std::span<std::byte> piece(size_t number) {
    size_t place = number % pieces_max;
    uint64_t before = number * CopyAhead::piece_bytes;
    return std::span(room_.get() + place * CopyAhead::piece_bytes,
                     std::min<uint64_t>(CopyAhead::piece_bytes, end_ - begin_ - before));
  }

  void run() {
    sys::name_thread("lyr-copy-ahead");
    static_cast<void>(sys::allow_cpus(others_));
    std::unique_lock lock(mutex_);
    for (uint64_t at = begin_; at < end_;) {
      changed_.wait(lock, [&] { return read_ - written_ < pieces_max || stopped_; });
      if (stopped_) return;
      std::span<std::byte> next = piece(read_);
      lock.unlock();
      auto got = read_piece(copy_, at, next);
      at += next.size();
      lock.lock();
      if (!got) failed_ = std::move(got.error());
      if (failed_) break;
      ++read_;
      changed_.notify_one();
    }
    changed_.notify_one();
  }

  const CopyAhead& copy_;
  const uint64_t begin_;
  const uint64_t end_;
  std::vector<int> others_;  // the reader's CPUs
  // In one, as large memory goes back to the system at once.
  std::unique_ptr<std::byte[]> room_ =
      std::make_unique_for_overwrite<std::byte[]>(pieces_max * CopyAhead::piece_bytes);
  std::mutex mutex_;  // guards what follows, and who has which piece
  std::condition_variable changed_;
  size_t read_ = 0;  // pieces, from the start
  size_t written_ = 0;
  bool stopped_ = false;
  std::optional<Error> failed_;
  std::thread thread_;
};

Result<> copy_in_turns(const CopyAhead& copy, uint64_t at, uint64_t end, const Fd& to) {
  std::vector<std::byte> buffer(std::min<uint64_t>(turn_bytes, end - at));
  while (at < end) {
    auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), end - at));
    TRY(read_piece(copy, at, piece));
    TRY(sys::pwrite_all(to, piece, at));
    at += piece.size();
  }
  return {};
}

}  // namespace

Result<> copy_ahead(const CopyAhead& copy, uint64_t at, uint64_t end, const Fd& to) {
  if (at >= end) return {};
  if (end - at < CopyAhead::ahead_bytes_min || copy.cpus.size() < 2)
    return copy_in_turns(copy, at, end, to);
  PiecesAhead pieces(copy, at, end);
  if (!pieces.start()) return copy_in_turns(copy, at, end, to);
  while (at < end) {
    auto piece = TRY(pieces.next());
    TRY(sys::pwrite_all(to, piece, at));
    at += piece.size();
    pieces.done();
  }
  return {};
}

}  // namespace lyr::unionfs
