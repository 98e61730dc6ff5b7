// SPDX-License-Identifier: Apache-2.0
#include "unionfs/assistant.h"

#include <exception>
#include <system_error>

#include "base/sys_event.h"
#include "base/sys_process.h"

namespace lyr::unionfs {

Assistant::~Assistant() {
  if (!thread_.joinable()) return;
  ended_ = true;
  at_work_ = true;
  at_work_.notify_one();
  thread_.join();
}

void Assistant::call() {
  if (refused_ || at_work()) return;
  at_work_ = true;
  if (thread_.joinable()) return at_work_.notify_one();
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    refused_ = true;
    at_work_ = false;
  }
}

void Assistant::run() {
  sys::name_thread("lyr-assistant");
  Work work;
  try {
    work = work_();
  } catch (const std::exception&) {  // no memory: then there is no help
  }
  while (!ended_) {
    if (work) work_on(work);
    at_work_ = false;
    if (!ended_) at_work_.wait(false);
  }
}

void Assistant::work_on(const Work& work) {
  int64_t worked_at = sys::now_monotonic_ns();
  while (!ended_) {
    if (work()) {
      worked_at = sys::now_monotonic_ns();
    } else if (sys::now_monotonic_ns() - worked_at < patience_ns) {
      std::this_thread::yield();
    } else {
      return;
    }
  }
}

}  // namespace lyr::unionfs
