// SPDX-License-Identifier: Apache-2.0
// gzip by ISA-L's igzip, which checks each member's CRC and length itself.
#include <igzip_lib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "image/decode.h"
#include "image/gzip_header.h"

namespace lyr::image {
namespace {

constexpr std::byte magic_first{0x1f};
// igzip loads whole words: what it may touch behind the input is ours.
constexpr size_t overread_bytes = 64;

Failure gzip_ends_early() {
  return fail(EBADMSG, "gunzip", "the gzip data ends early (truncated?)");
}

class GzipReader final : public ByteReader {
 public:
  GzipReader(std::unique_ptr<ByteReader> input, const DecodeLimits& limits)
      : input_(std::move(input)), limits_(limits), buffer_(decode_input_bytes + overread_bytes) {
    rest_ = std::span(buffer_).first(0);
    begin_member();
  }

  Result<size_t> read(std::span<std::byte> data) override;

 private:
  // The state is 80 KiB and more: made once, reset for each member.
  void begin_member() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
    header_ = GzipHeader();
    in_header_ = true;
  }
  Result<bool> refill();
  Result<bool> next_member();
  Result<bool> pass_header();
  Result<size_t> inflate(std::span<std::byte> data);

  std::unique_ptr<ByteReader> input_;
  DecodeLimits limits_;
  std::vector<std::byte> buffer_;
  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
  std::span<const std::byte> rest_;  // of the input in buffer_
  GzipHeader header_;
  bool in_header_ = true;
  uint64_t consumed_ = 0;
  uint64_t produced_ = 0;
  bool between_ = false;  // members: the one before is complete
};

// False at the end of the input.
Result<bool> GzipReader::refill() {
  if (!rest_.empty()) return true;
  size_t count = TRY(input_->read(std::span(buffer_).first(decode_input_bytes)));
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

// False at the end of the input.
Result<bool> GzipReader::pass_header() {
  while (in_header_) {
    bool more = TRY(refill());
    if (!more) return false;
    bool complete = TRY(header_.take(rest_));
    in_header_ = !complete;
  }
  return true;
}

// One call of igzip. It takes input ahead of need into its state and, when a member ends, steps
// back over what it did not use: so rest_ stays in the same buffer until all of it is used up.
Result<size_t> GzipReader::inflate(std::span<std::byte> data) {
  state_->next_in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(rest_.data()));
  state_->avail_in = static_cast<uint32_t>(rest_.size());
  state_->next_out = reinterpret_cast<uint8_t*>(data.data());
  state_->avail_out = static_cast<uint32_t>(data.size());
  int outcome = isal_inflate(state_.get());
  if (outcome == ISAL_INCORRECT_CHECKSUM) {
    return fail(EBADMSG, "gunzip", "the gzip checksum does not match (damaged)");
  }
  const auto* next = reinterpret_cast<const std::byte*>(state_->next_in);
  const std::byte* end = rest_.data() + rest_.size();
  // After an error igzip 2.31 may leave an avail_in below zero.
  bool astray = next < buffer_.data() || next > end || state_->avail_in != size_t(end - next);
  if (outcome < ISAL_DECOMP_OK || outcome == ISAL_NEED_DICT || astray) {
    return fail(EBADMSG, "gunzip", "not valid gzip data (damaged)");
  }
  rest_ = std::span(next, end);
  return data.size() - state_->avail_out;
}

Result<size_t> GzipReader::read(std::span<std::byte> data) {
  data = data.first(std::min<size_t>(data.size(), UINT32_MAX));
  while (true) {
    if (between_) {
      bool more = TRY(next_member());
      if (!more) return 0;
    }
    bool begun = TRY(pass_header());
    if (!begun) return gzip_ends_early();
    size_t count = TRY(inflate(data));
    produced_ += count;
    TRY(check_expansion(consumed_, produced_, limits_));
    between_ = state_->block_state == ISAL_BLOCK_FINISH;
    if (count > 0) return count;
    if (between_) continue;
    if (!rest_.empty()) return fail(EBADMSG, "gunzip", "not valid gzip data (damaged)");
    bool more = TRY(refill());
    if (!more) return gzip_ends_early();
  }
}

}  // namespace

std::unique_ptr<ByteReader> make_gzip_reader(std::unique_ptr<ByteReader> input,
                                             const DecodeLimits& limits) {
  return std::make_unique<GzipReader>(std::move(input), limits);
}

}  // namespace lyr::image
