// SPDX-License-Identifier: Apache-2.0
// Writes down what is being done for as long as it is, for a server that may be killed meanwhile
// (unionfs/resume.cpp). Without a ledger nothing is written.
#pragma once

#include <ctime>

#include "unionfs/ledger.h"

namespace lyr::unionfs {

// A change of names. What fails, or has no answer worth keeping, has done nothing. The union's lock
// is held throughout.
class Doing {
 public:
  struct Change {
    uint64_t node = 0;
    uint64_t parent = 0;
    std::string_view name = {};
    uint64_t new_parent = 0;
    std::string_view new_name = {};
    uint64_t target = 0;
  };

  Doing(Ledger* ledger, Intent::Deed deed, const Change& change) : ledger_(ledger) {
    if (ledger_ == nullptr) return;
    Intent& intent = ledger_->slot().intent;
    mark(intent, Intent::Deed::none);
    intent.unique = current_request.unique;
    intent.node = change.node;
    intent.parent = change.parent;
    intent.name.set(change.name);
    intent.new_parent = change.new_parent;
    intent.new_name.set(change.new_name);
    intent.target = change.target;
    mark(intent, deed);
  }
  // It is all there: the answer, if its request comes again, is this node, or 0 for none.
  void done(uint64_t answer = 0) {
    if (ledger_ == nullptr) return;
    Intent& intent = ledger_->slot().intent;
    intent.answer = answer;
    mark(intent, Intent::Deed::done);
    ledger_ = nullptr;
  }
  ~Doing() {
    if (ledger_ != nullptr) mark(ledger_->slot().intent, Intent::Deed::none);
  }
  Doing(const Doing&) = delete;
  Doing& operator=(const Doing&) = delete;

 private:
  static void mark(Intent& intent, Intent::Deed deed) {
    intent.deed.store(deed, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // nor does what follows come before it
  }

  Ledger* ledger_;
};

// The time a file or directory has, while it has another for a moment.
class KeptTime {
 public:
  KeptTime(Ledger* ledger, uint64_t node, const struct timespec& time) : ledger_(ledger) {
    if (ledger_ != nullptr) write(ledger_->slot().timing, node, time);
  }
  ~KeptTime() {
    if (ledger_ != nullptr) ledger_->slot().timing.node.store(0, std::memory_order_release);
  }
  KeptTime(const KeptTime&) = delete;
  KeptTime& operator=(const KeptTime&) = delete;

  // It is another one now for all who keep the node's, a file's. They begin and end with the lock
  // that the caller has.
  static void change(Ledger* ledger, uint64_t node, const struct timespec& time) {
    if (ledger == nullptr) return;
    for (Slot& slot : ledger->slots()) {
      if (slot.timing.node == node) write(slot.timing, node, time);
    }
  }

 private:
  static void write(Timing& timing, uint64_t node, const struct timespec& time) {
    timing.node.store(0, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // nor does what follows come before it
    timing.seconds = time.tv_sec;
    timing.nanoseconds = time.tv_nsec;
    timing.node.store(node, std::memory_order_release);
  }

  Ledger* ledger_;
};

// A copy that gets several names, one after the other.
class KeptCopy {
 public:
  KeptCopy(Ledger* ledger, uint64_t node, uint64_t upper_ino) : ledger_(ledger) {
    if (ledger_ == nullptr) return;
    ledger_->slot().copying.upper_ino = upper_ino;
    ledger_->slot().copying.node.store(node, std::memory_order_release);
  }
  ~KeptCopy() {
    if (ledger_ != nullptr) ledger_->slot().copying.node.store(0, std::memory_order_release);
  }
  KeptCopy(const KeptCopy&) = delete;
  KeptCopy& operator=(const KeptCopy&) = delete;

 private:
  Ledger* ledger_;
};

}  // namespace lyr::unionfs
