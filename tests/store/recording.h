// SPDX-License-Identifier: Apache-2.0
// What programs did to a directory and all below it, call by call: enough to tell what a disk may
// hold after a power cut (power_cut.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/traced.h"

namespace lyr::store {

struct DiskEvent {
  enum class Kind { write, resize, punch, name, unname, rename, sync };
  Kind kind = Kind::sync;
  size_t inode = 0;  // what it is done to; of a name and a rename: what has the name then
  // Of changes of names:
  size_t directory = 0;
  std::string name = {};
  size_t old_directory = 0;
  std::string old_name = {};
  // Of changes of content:
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string data = {};
  bool durable = false;  // at its return: O_DSYNC

  std::string what = {};  // for a person
};

struct DiskInode {
  bool directory = false;
  std::string content = {};                    // as it was before the first event
  std::map<std::string, size_t> entries = {};  // the same, of a directory
  bool mapped = false;                         // for writing: its writes are not seen
  std::string last_content = {};               // of a mapped one, after the last event
};

// Not thread-safe. Only one is recorded at a time.
class Recording {
 public:
  // What is in `root` now was there before.
  explicit Recording(std::string root);

  // Runs `body` in a child and adds what it does; `decide` may kill it.
  Traced record(const std::function<int()>& body,
                const std::function<Decision(const TracedCall&)>& decide = nullptr);

  const std::vector<DiskInode>& inodes() const { return inodes_; }  // the first is the root
  const std::vector<DiskEvent>& events() const { return events_; }

 private:
  using Key = std::pair<dev_t, ino_t>;

  void scan(const std::string& path, size_t inode);
  size_t add_inode(const std::string& path, bool directory);
  bool find(const std::string& path, size_t& inode) const;
  bool is_below(const std::string& path) const;
  void set_name(DiskEvent& event, const std::string& path);
  void add(DiskEvent event, const TracedCall& call);
  void after(const TracedCall& call, int64_t result);
  void after_open(const TracedCall& call, int64_t result);
  void after_write(const TracedCall& call, size_t inode, int64_t result);
  void after_change(const TracedCall& call, size_t inode);
  void after_names(const TracedCall& call);
  void read_mapped();

  std::string root_;
  std::vector<DiskInode> inodes_;
  std::vector<DiskEvent> events_;
  std::map<Key, size_t> by_key_;  // those that are there now
  std::map<std::string, size_t> by_path_;
  bool existed_ = false;  // what the call that is being watched may make
};

}  // namespace lyr::store
