// SPDX-License-Identifier: Apache-2.0
// zstd by libzstd: frames follow each other, skippable frames are passed over. A frame's window is
// limited, since it is memory that the input asks for.
#include <zstd.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "image/decode.h"

namespace lyr::image {
namespace {

constexpr int window_log_max = 27;  // 128 MiB, what zstd itself takes without --long

class ZstdReader final : public ByteReader {
 public:
  ZstdReader(std::unique_ptr<ByteReader> input, const DecodeLimits& limits)
      : input_(std::move(input)), limits_(limits), buffer_(decode_input_bytes) {
    CHECK(context_ != nullptr);
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log_max);
  }

  Result<size_t> read(std::span<std::byte> data) override;

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  std::unique_ptr<ByteReader> input_;
  DecodeLimits limits_;
  std::vector<std::byte> buffer_;
  std::unique_ptr<ZSTD_DCtx, Free> context_{ZSTD_createDCtx()};
  ZSTD_inBuffer rest_{nullptr, 0, 0};
  uint64_t consumed_ = 0;
  uint64_t produced_ = 0;
  bool inside_ = false;  // a frame
};

Result<size_t> ZstdReader::read(std::span<std::byte> data) {
  while (true) {
    bool ended = false;
    if (rest_.pos == rest_.size) {
      size_t count = TRY(input_->read(buffer_));
      rest_ = {buffer_.data(), count, 0};
      consumed_ += count;
      ended = count == 0;
      if (ended && !inside_) return 0;
    }
    ZSTD_outBuffer out{data.data(), data.size(), 0};
    size_t hint = ZSTD_decompressStream(context_.get(), &out, &rest_);
    if (ZSTD_isError(hint) != 0) return fail(EBADMSG, "unzstd", ZSTD_getErrorName(hint));
    inside_ = hint != 0;
    produced_ += out.pos;
    TRY(check_expansion(consumed_, produced_, limits_));
    if (out.pos > 0) return out.pos;
    if (ended && inside_) {
      return fail(EBADMSG, "unzstd", "the zstd data ends early (truncated?)");
    }
  }
}

}  // namespace

std::unique_ptr<ByteReader> make_zstd_reader(std::unique_ptr<ByteReader> input,
                                             const DecodeLimits& limits) {
  return std::make_unique<ZstdReader>(std::move(input), limits);
}

}  // namespace lyr::image
