// SPDX-License-Identifier: Apache-2.0
// Any zstd data gives bytes or an error, however the input is cut and the output is taken, never
// more than asked, and the bytes that libzstd gives in one step; and what libzstd compresses, in
// frames with others to skip between them, comes out as it was.
#include <zstd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/cut_reader.h"
#include "image/decode.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr size_t output_bytes_max = 256 << 10;
constexpr size_t out_bytes_max = 64 << 10;
constexpr DecodeLimits limits{.bytes_max = output_bytes_max};

Result<std::string> decode(std::span<const std::byte> data, size_t piece_bytes, size_t out_bytes) {
  auto reader = make_zstd_reader(std::make_unique<fuzz::CutReader>(data, piece_bytes), limits);
  std::string text;
  static std::vector<std::byte> room(out_bytes_max);
  auto out = std::span(room).first(out_bytes);
  while (true) {
    size_t count = TRY(reader->read(out));
    if (count == 0) return text;
    CHECK(count <= out.size());
    text.append(reinterpret_cast<const char*>(out.data()), count);
    CHECK(text.size() <= output_bytes_max);
  }
}

std::optional<std::string> in_one_step(std::span<const std::byte> data) {
  static std::string room(output_bytes_max, '\0');
  static ZSTD_DCtx* context = ZSTD_createDCtx();
  size_t bytes = ZSTD_decompressDCtx(context, room.data(), room.size(), data.data(), data.size());
  if (ZSTD_isError(bytes) != 0) return std::nullopt;
  return room.substr(0, bytes);
}

void append_frame(std::string& to, std::string_view text, uint8_t choice) {
  static ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, choice % 4 - 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, choice >> 2 & 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, choice >> 3 & 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 10 + (choice >> 4 & 7));
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  size_t bytes = ZSTD_compress2(context, frame.data(), frame.size(), text.data(), text.size());
  CHECK(ZSTD_isError(bytes) == 0);
  to.append(frame, 0, bytes);
}

void append_skipped(std::string& to, uint8_t choice) {
  to += static_cast<char>(0x50 + choice % 16);
  to.append("\x2a\x4d\x18", 3);
  to += static_cast<char>(choice);
  to.append(3 + choice, '\0');
}

void check_compressed(std::string_view text) {
  std::string frames;
  for (std::string_view rest = text; !rest.empty();) {
    auto choice = static_cast<uint8_t>(rest.front());
    auto piece = rest.substr(0, 1 + rest.size() / 2);
    append_frame(frames, piece, choice);
    if (choice % 3 == 0) append_skipped(frames, choice);
    rest.remove_prefix(piece.size());
  }
  auto data = std::as_bytes(std::span(frames));
  auto decoded = decode(data, 1 + data.size() / (1 + text.size() % 5), 1 + text.size() % 999);
  CHECK(decoded.has_value() && *decoded == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  auto whole = decode(input, SIZE_MAX, out_bytes_max);
  auto cut = decode(input, 1 + size / 7, 1 + size % 4096);
  auto step = in_one_step(input);
  // libzstd checks less of a frame that it has whole (not its window, for one), so only what two
  // accept must agree. That a layer has one content only is for its diffID to see to.
  if (whole && cut) CHECK(*whole == *cut);
  if (whole && step) CHECK(*whole == *step);
  if (cut && step) CHECK(*cut == *step);
  // What is zstd data is not compressed once more.
  if (size > 0 && data[0] != 0x28) {
    check_compressed({reinterpret_cast<const char*>(data), size});
  }
  return 0;
}
