// SPDX-License-Identifier: Apache-2.0
// The modification times of files whose content changes though their time does not: the kernel's
// page cache is written back, and the kernel says itself when a file was modified.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <vector>

#include "unionfs/patient_mutex.h"

namespace lyr::unionfs {

// Several changes of a file may go on at once: the time that the first one found, or that was set
// since, is set again by the last one to end. Until then the upper has another one, which the
// kernel does not ask for. All calls but mutex() are made with the node's mutex held.
class KeptTimes {
 public:
  struct Kept {
    uint64_t node = 0;
    struct timespec time{};
    int changes = 0;  // that go on
  };
  PatientMutex& mutex(uint64_t node) { return of(node).mutex; }
  // Null: none goes on. Good until the next call.
  Kept* find(uint64_t node) {
    auto& kept = of(node).kept;
    auto found = std::ranges::find(kept, node, &Kept::node);
    return found == kept.end() ? nullptr : &*found;
  }
  Kept* add(uint64_t node, struct timespec time) {
    return &of(node).kept.emplace_back(Kept{node, time, 0});
  }
  void erase(uint64_t node) {
    std::erase_if(of(node).kept, [&](const Kept& kept) { return kept.node == node; });
  }

  // The kernel has just said when the node's file was modified: what is written back soon after
  // was written before that. Of several files some may be forgotten.
  void tell(uint64_t node, int64_t now_ms) {
    Stripe& stripe = of(node);
    stripe.told[stripe.next++ % stripe.told.size()] = {node, now_ms};
  }
  bool was_told(uint64_t node, int64_t now_ms) {
    return std::ranges::any_of(of(node).told, [&](const Told& told) {
      return told.node == node && now_ms - told.at_ms < soon_ms;
    });
  }

 private:
  static constexpr int64_t soon_ms = 2000;
  struct Told {
    uint64_t node = 0;  // no node's number
    int64_t at_ms = 0;
  };
  struct Stripe {
    PatientMutex mutex;
    std::vector<Kept> kept;
    std::array<Told, 4> told{};
    uint32_t next = 0;
  };
  Stripe& of(uint64_t node) { return stripes_[node % stripes_.size()]; }
  std::array<Stripe, 64> stripes_;
};

}  // namespace lyr::unionfs
