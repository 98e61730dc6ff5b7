// SPDX-License-Identifier: Apache-2.0
// gzip by ISA-L's igzip, which checks each member's CRC and length itself.
#include <igzip_lib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "image/decode.h"

namespace lyr::image {
namespace {

constexpr std::byte magic_first{0x1f};

class GzipReader final : public ByteReader {
 public:
  GzipReader(std::unique_ptr<ByteReader> input, const DecodeLimits& limits)
      : input_(std::move(input)), limits_(limits), buffer_(decode_input_bytes) {
    begin_member();
  }

  Result<size_t> read(std::span<std::byte> data) override;

 private:
  // The state is 80 KiB and more: made once, reset for each member.
  void begin_member() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }
  Result<bool> refill();
  Result<bool> next_member();
  Result<> check(int outcome) const;

  std::unique_ptr<ByteReader> input_;
  DecodeLimits limits_;
  std::vector<std::byte> buffer_;
  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
  std::span<const std::byte> rest_;  // of the input in buffer_
  uint64_t consumed_ = 0;
  uint64_t produced_ = 0;
  bool between_ = false;  // members: the one before is complete
};

// False at the end of the input.
Result<bool> GzipReader::refill() {
  if (!rest_.empty()) return true;
  size_t count = TRY(input_->read(buffer_));
  rest_ = std::span(buffer_).first(count);
  consumed_ += count;
  return count > 0;
}

// gzip lets members follow each other; tape tools pad with zeros; all else is damage. False at the
// end of the input.
Result<bool> GzipReader::next_member() {
  bool padding = false;
  while (true) {
    bool more = TRY(refill());
    if (!more) return false;
    if (!padding && rest_.front() == magic_first) {
      begin_member();
      between_ = false;
      return true;
    }
    padding = true;
    if (std::ranges::any_of(rest_, [](std::byte value) { return value != std::byte{0}; })) {
      return fail(EBADMSG, "gunzip", "other data follows the gzip data");
    }
    rest_ = {};
  }
}

Result<> GzipReader::check(int outcome) const {
  if (outcome >= ISAL_DECOMP_OK && outcome != ISAL_NEED_DICT) return {};
  if (outcome == ISAL_INCORRECT_CHECKSUM) {
    return fail(EBADMSG, "gunzip", "the gzip checksum does not match (damaged)");
  }
  return fail(EBADMSG, "gunzip", "not valid gzip data (damaged)");
}

Result<size_t> GzipReader::read(std::span<std::byte> data) {
  data = data.first(std::min<size_t>(data.size(), UINT32_MAX));
  while (true) {
    if (between_) {
      bool more = TRY(next_member());
      if (!more) return 0;
    }
    // Output may be waiting in the state although all input is taken.
    bool more = TRY(refill());
    state_->next_in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(rest_.data()));
    state_->avail_in = static_cast<uint32_t>(rest_.size());
    state_->next_out = reinterpret_cast<uint8_t*>(data.data());
    state_->avail_out = static_cast<uint32_t>(data.size());
    int outcome = isal_inflate(state_.get());
    rest_ = rest_.last(state_->avail_in);
    TRY(check(outcome));
    size_t count = data.size() - state_->avail_out;
    produced_ += count;
    TRY(check_expansion(consumed_, produced_, limits_));
    between_ = state_->block_state == ISAL_BLOCK_FINISH;
    if (count > 0) return count;
    if (!more && !between_) {
      return fail(EBADMSG, "gunzip", "the gzip data ends early (truncated?)");
    }
  }
}

}  // namespace

std::unique_ptr<ByteReader> make_gzip_reader(std::unique_ptr<ByteReader> input,
                                             const DecodeLimits& limits) {
  return std::make_unique<GzipReader>(std::move(input), limits);
}

}  // namespace lyr::image
