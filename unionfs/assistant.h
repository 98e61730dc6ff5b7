// SPDX-License-Identifier: Apache-2.0
// A second thread that works only while there is more to do than one thread keeps up with.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace lyr::unionfs {

// The thread is there from the first call() on. Calls but for at_work() are those of one thread.
class Assistant {
 public:
  // One piece of work, by the assistant's thread. False: there is none that needs it now. Does not
  // wait for any.
  using Work = std::function<bool()>;
  // `work`: makes what the thread works with, in that thread, when it is first called.
  explicit Assistant(std::function<Work()> work) : work_(std::move(work)) {}
  Assistant(const Assistant&) = delete;
  Assistant& operator=(const Assistant&) = delete;
  ~Assistant();

  // It works until nothing has needed it for patience_ns. Does not wait for it.
  void call();
  // Once false, no piece of work is begun before the next call().
  bool at_work() const { return at_work_.load(std::memory_order_acquire); }

  static constexpr int64_t patience_ns = 100'000;

 private:
  void run();
  void work_on(const Work& work);

  std::function<Work()> work_;
  std::atomic<bool> at_work_ = false;
  std::atomic<bool> ended_ = false;
  bool refused_ = false;  // by the kernel: no more threads are allowed
  std::thread thread_;
};

}  // namespace lyr::unionfs
