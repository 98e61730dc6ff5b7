// SPDX-License-Identifier: Apache-2.0
// Descriptors that stay open as long as somebody uses them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "base/fd.h"

namespace lyr::unionfs {

using SharedFd = std::shared_ptr<const Fd>;

// Open descriptors by key, a bounded number of them: the one that came first goes first.
class FdCache {
 public:
  explicit FdCache(size_t max) : max_(max) {}

  // Null: not here.
  SharedFd find(uint64_t key) const {
    auto found = fds_.find(key);
    return found == fds_.end() ? nullptr : found->second;
  }
  SharedFd add(uint64_t key, Fd fd) {
    if (order_.size() >= max_) {
      fds_.erase(order_.front());
      order_.pop_front();
    }
    auto shared = std::make_shared<const Fd>(std::move(fd));
    if (fds_.insert_or_assign(key, shared).second) order_.push_back(key);
    return shared;
  }

 private:
  size_t max_;
  std::unordered_map<uint64_t, SharedFd> fds_;
  std::deque<uint64_t> order_;
};

}  // namespace lyr::unionfs
