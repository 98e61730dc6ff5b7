// SPDX-License-Identifier: Apache-2.0
#include "store/pack_set.h"

#include "base/sys_file.h"

namespace lyr::store {

Result<std::shared_ptr<const PackReader>> PackSet::open(PackNumber number) {
  std::scoped_lock lock(mutex_);
  auto found = opened_.find(number);
  if (found != opened_.end()) {
    used_.splice(used_.begin(), used_, found->second.used);
    return found->second.reader;
  }
  std::string name = pack_name(number);
  auto status = TRY(about(sys::stat_at(packs_, name.c_str()), name));
  auto opened = TRY(PackReader::open(packs_, number, static_cast<uint64_t>(status.st_size)));
  auto reader = std::make_shared<const PackReader>(std::move(opened));
  if (opened_.size() >= open_packs_max) {
    opened_.erase(used_.back());
    used_.pop_back();
  }
  used_.push_front(number);
  opened_.emplace(number, Opened{reader, used_.begin()});
  return reader;
}

Result<std::shared_ptr<const PackReader>> PackSet::reopen(PackNumber number) {
  {
    std::scoped_lock lock(mutex_);
    auto found = opened_.find(number);
    if (found != opened_.end()) {
      used_.erase(found->second.used);
      opened_.erase(found);
    }
  }
  return open(number);
}

void PackSet::clear() {
  std::scoped_lock lock(mutex_);
  opened_.clear();
  used_.clear();
}

}  // namespace lyr::store
