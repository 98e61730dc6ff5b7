// SPDX-License-Identifier: Apache-2.0
#include "store/spool.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "store/store_state.h"

namespace lyr::store {

Result<> Spool::flush() {
  if (!file_) file_ = TRY(sys::open_unnamed(*directory_, O_RDWR, 0600));
  TRY(sys::pwrite_all(*file_, waiting_, in_file_));
  in_file_ += waiting_.size();
  waiting_.clear();
  // A megabyte was enough to wait for the file; from now on less is.
  if (waiting_.capacity() > 2 * spool_step_bytes) std::vector<std::byte>().swap(waiting_);
  waiting_.reserve(spool_step_bytes);
  return {};
}

Result<> Spool::append(std::span<const std::byte> data) {
  size_t room = file_ ? spool_step_bytes : spool_memory_bytes;
  if (directory_ != nullptr && waiting_.size() + data.size() > room) TRY(flush());
  if (file_ && data.size() > spool_step_bytes) {
    TRY(sys::pwrite_all(*file_, data, in_file_));
    in_file_ += data.size();
    return {};
  }
  waiting_.insert(waiting_.end(), data.begin(), data.end());
  return {};
}

Result<> Spool::patch(uint64_t at, std::span<const std::byte> data) {
  CHECK(data.size() <= bytes() && at <= bytes() - data.size());
  if (at < in_file_) {
    auto first = data.first(std::min<uint64_t>(data.size(), in_file_ - at));
    TRY(sys::pwrite_all(*file_, first, at));
    data = data.subspan(first.size());
    at += first.size();
  }
  if (!data.empty()) std::memcpy(waiting_.data() + (at - in_file_), data.data(), data.size());
  return {};
}

Result<> Spool::read(uint64_t at, std::span<std::byte> data) const {
  CHECK(data.size() <= bytes() && at <= bytes() - data.size());
  if (at < in_file_) {
    auto first = data.first(std::min<uint64_t>(data.size(), in_file_ - at));
    TRY(sys::pread_exactly(*file_, first, at));
    data = data.subspan(first.size());
    at += first.size();
  }
  if (!data.empty()) std::memcpy(data.data(), waiting_.data() + (at - in_file_), data.size());
  return {};
}

Result<Spool::View> Spool::view() {
  View view;
  if (file_) {
    TRY(flush());
    view.mapping = TRY(sys::Mapping::read_only(*file_, in_file_));
    view.bytes = view.mapping.bytes();
  } else {
    view.bytes = waiting_;
  }
  return view;
}

Result<> Spool::publish(const Fd& directory, const std::string& name) {
  if (!file_) return publish_file(directory, name, waiting_);
  TRY(about(flush(), name));
  TRY(about(sys::fsync(*file_), name));
  return about(sys::link_over(*file_, directory, name.c_str()), name);
}

Result<> Spool::start_writeback() {
  if (!file_) return {};
  TRY(flush());
  return sys::start_writeback(*file_, 0, in_file_);
}

std::span<const std::byte> Spool::in_memory() const {
  CHECK(!file_);
  return waiting_;
}

}  // namespace lyr::store
