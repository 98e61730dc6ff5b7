// SPDX-License-Identifier: Apache-2.0
// Small files in the kernel's page cache before somebody asks for them. Who reads an image's files
// one after the other waits for a READ at each: two changes between processes, for a few KiB. A
// thread of its own stores what comes next (FUSE_NOTIFY_STORE) while the last ones are looked at,
// as a kernel's readahead does within one file. Only for files that never change: it would put old
// content over what somebody wrote.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "unionfs/lower.h"
#include "unionfs/scan_order.h"

namespace lyr::unionfs {

// Which files come next, from which were asked for. Not thread-safe.
class Expectation {
 public:
  static constexpr size_t looks_ahead = 8;  // files, without a push
  static constexpr size_t files_max = 512;  // a push
  static constexpr uint64_t bytes_max = 8 << 20;
  // Of larger files the kernel reads ahead by itself.
  static constexpr uint64_t file_bytes_max = 256 << 10;

  struct File {
    Ino ino = no_ino;
    uint32_t bytes = 0;
    bool done = false;  // pushed, or left out on purpose
  };

  Expectation(const ScanOrder& order, const store::Tree& tree) : order_(order), tree_(tree) {}
  // Forgets all else, and expects what comes after this one.
  void begin(Ino ino);
  // A file was asked for, from its start. False: nobody expected it, and nothing changed.
  bool asked(Ino ino);
  // The next one to push, valid until the next call. Null: none, until one is asked for.
  const File* next();
  // What next() gave was pushed. `known` false: the kernel has not heard of the file yet; it will
  // once somebody lists the directory, and asks for one in it.
  void pushed(Ino ino, bool known);

 private:
  void fill();
  size_t to_push() const;  // of ahead_, from the start

  const ScanOrder& order_;
  const store::Tree& tree_;
  std::deque<File> ahead_;
  ScanOrder::Cursor cursor_;  // of the last in ahead_
  bool ended_ = false;        // there are no more
  uint64_t bytes_ = 0;        // of ahead_
  size_t window_ = 0;         // files at once; 0: not sure enough yet
  size_t next_ = 0;           // of ahead_; all before it are done
  bool waits_ = false;        // for the kernel to know the next one
};

class PushAhead {
 public:
  // Puts all of a file's content into the page cache, and may block until somebody's request for it
  // was answered. ENOENT: the kernel does not know the file.
  using Store = std::function<Result<>(Ino ino, std::span<std::byte> content)>;
  // All outlive it. `pushes` counts them.
  PushAhead(const Lower& lower, const store::Tree& tree, Store store,
            std::atomic<uint64_t>* pushes = nullptr);
  PushAhead(const PushAhead&) = delete;
  PushAhead& operator=(const PushAhead&) = delete;
  ~PushAhead();  // waits for the push that is at work

  // A file was asked for, from its start. Thread-safe, and never waits for a push.
  void asked(Ino ino);
  // Whether there is something to push. It is the caller's as long as this is.
  const std::atomic<bool>& works() const { return works_; }

 private:
  static constexpr int reads_before = 16;  // a program that starts asks for as many
  static constexpr size_t streams_max = 4;
  struct Stream {
    Expectation expected;
    uint64_t used = 0;  // the last time, by asked_
  };

  bool start();
  void run();
  bool push(Ino ino, std::span<std::byte> content);

  const Lower& lower_;
  const store::Tree& tree_;
  Store store_;
  std::atomic<uint64_t>* pushes_;
  std::vector<int> cpus_;  // that we may run on; serving threads may be bound to one
  std::atomic<int> reads_ = 0;
  std::atomic<bool> works_ = false;
  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  bool ended_ = false;
  bool refused_ = false;              // no more threads are allowed
  std::unique_ptr<ScanOrder> order_;  // null: it is being made
  std::vector<std::unique_ptr<Stream>> streams_;
  uint64_t asked_ = 0;
  std::thread thread_;
};

}  // namespace lyr::unionfs
