// SPDX-License-Identifier: Apache-2.0
// Runs what is tested on a thread that can open, make and remove nothing outside of one directory
// (Landlock; where the kernel has none it is a plain thread). A path that leads out of it fails
// with EACCES, which nothing inside gives: a target that sees it has found a fault.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/fd.h"

namespace lyr::fuzz {

class Fence {
 public:
  // The directory stays open as long as the fence stands. Programs and libraries can be read, as
  // a sanitizer's report needs them, and a finding can be kept where libFuzzer was told to.
  explicit Fence(const Fd& directory);
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;
  ~Fence();

  // Waits until it is done. What threads it starts are fenced in, too.
  void run(const std::function<void()>& work);

 private:
  void serve(const Fd& directory);

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;  // null: done
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace lyr::fuzz
