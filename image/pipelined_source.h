// SPDX-License-Identifier: Apache-2.0
// Runs a reader (file, digest, inflate) in a thread of its own, a few blocks ahead of who takes
// them. Ends cleanly whatever either side does: destroying it stops and joins the thread.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "image/byte_stream.h"

namespace lyr::image {

constexpr size_t pipeline_block_bytes = 512 << 10;
constexpr size_t pipeline_blocks = 6;  // 3 MiB in flight

class PipelinedSource final : public ByteSource {
 public:
  // EAGAIN: no thread to be had.
  static Result<std::unique_ptr<PipelinedSource>> start(std::unique_ptr<ByteReader> reader);
  ~PipelinedSource() override;

  // Blocks until the reader has something. After the end (or an error) the thread has let go of
  // the reader: what it counted may be read.
  Result<std::span<const std::byte>> next() override;

 private:
  struct State;
  explicit PipelinedSource(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lyr::image
