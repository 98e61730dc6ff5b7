// SPDX-License-Identifier: Apache-2.0
#include "unionfs/copy_ahead.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <iterator>
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
  PiecesAhead(const CopyAhead& copy, uint64_t at, uint64_t end) : copy_(copy), at_(at), end_(end) {
    for (Piece& piece : pieces_) piece.room.resize(CopyAhead::piece_bytes);
  }
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
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      return false;
    }
    // Left alone the two often take turns on the CPU that who writes wakes the other one on.
    std::vector<int> others;
    std::ranges::remove_copy(copy_.cpus, std::back_inserter(others), sys::current_cpu());
    static_cast<void>(sys::allow_cpus(thread_, others));
    return true;
  }

  // The next piece; it is the caller's until done().
  Result<std::span<const std::byte>> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return written_ < read_ || failed_; });
    if (written_ == read_) return std::unexpected(std::move(*failed_));
    return std::span<const std::byte>(piece(written_).bytes);
  }
  void done() {
    {
      std::scoped_lock lock(mutex_);
      ++written_;
    }
    changed_.notify_one();
  }

 private:
  struct Piece {
    std::vector<std::byte> room;
    std::span<std::byte> bytes;
  };
  Piece& piece(size_t number) { return pieces_[number % pieces_.size()]; }

  void run() {
    sys::name_thread("lyr-copy-ahead");
    std::unique_lock lock(mutex_);
    while (at_ < end_) {
      changed_.wait(lock, [&] { return read_ - written_ < pieces_.size() || stopped_; });
      if (stopped_) return;
      Piece& next = piece(read_);
      lock.unlock();
      next.bytes = std::span(next.room).first(std::min<uint64_t>(next.room.size(), end_ - at_));
      auto got = read_piece(copy_, at_, next.bytes);
      at_ += next.bytes.size();
      lock.lock();
      if (!got) failed_ = std::move(got.error());
      if (failed_) break;
      ++read_;
      changed_.notify_one();
    }
    changed_.notify_one();
  }

  const CopyAhead& copy_;
  uint64_t at_;  // the reader's
  const uint64_t end_;
  std::array<Piece, 4> pieces_;
  std::mutex mutex_;  // guards what follows, and who has which piece
  std::condition_variable changed_;
  size_t read_ = 0;  // pieces, from the start
  size_t written_ = 0;
  bool stopped_ = false;
  std::optional<Error> failed_;
  std::thread thread_;
};

Result<> copy_in_turns(const CopyAhead& copy, uint64_t at, uint64_t end, const Fd& to) {
  std::vector<std::byte> buffer(std::min<uint64_t>(CopyAhead::piece_bytes, end - at));
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
