// SPDX-License-Identifier: Apache-2.0
// Two views of a stream of bytes: ByteReader fills the caller's buffer, ByteSource lends its own.
// Both end with an empty answer; what fails once must not be asked again. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"

namespace lyr::image {

class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // At least one byte of `data` (which is not empty); 0 at the end.
  virtual Result<size_t> read(std::span<std::byte> data) = 0;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes, valid until the next call; empty at the end.
  virtual Result<std::span<const std::byte>> next() = 0;
  // Passes over up to `count` bytes without reading them and returns how many; 0: cannot.
  virtual Result<uint64_t> skip(uint64_t) { return 0; }
};

// `length` bytes of a file from `offset` on; ENODATA when the file is shorter.
class FileReader final : public ByteReader {
 public:
  FileReader(std::shared_ptr<const Fd> file, uint64_t offset, uint64_t length)
      : file_(std::move(file)), offset_(offset), left_(length) {}
  Result<size_t> read(std::span<std::byte> data) override;

 private:
  std::shared_ptr<const Fd> file_;
  uint64_t offset_;
  uint64_t left_;
};

// What a descriptor gives, to its end: a pipe or a socket.
class PipeReader final : public ByteReader {
 public:
  explicit PipeReader(const Fd& pipe) : pipe_(pipe) {}
  Result<size_t> read(std::span<std::byte> data) override;

 private:
  const Fd& pipe_;
};

class MemoryReader final : public ByteReader {
 public:
  explicit MemoryReader(std::span<const std::byte> data) : left_(data) {}
  Result<size_t> read(std::span<std::byte> data) override;

 private:
  std::span<const std::byte> left_;
};

// Counts and digests what passes.
class DigestReader final : public ByteReader {
 public:
  explicit DigestReader(std::unique_ptr<ByteReader> inner) : inner_(std::move(inner)) {}
  Result<size_t> read(std::span<std::byte> data) override;
  uint64_t count() const { return count_; }
  // No digest is wanted after all: it only counts from now on.
  void stop() { active_ = false; }
  Digest finish() { return hasher_.finish(); }

 private:
  std::unique_ptr<ByteReader> inner_;
  bool active_ = true;
  Sha256 hasher_;
  uint64_t count_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  // Lends pieces of at most `piece_bytes`, so that tests can cut a stream anywhere.
  explicit MemorySource(std::span<const std::byte> data, size_t piece_bytes = SIZE_MAX)
      : left_(data), piece_bytes_(piece_bytes) {}
  Result<std::span<const std::byte>> next() override;

 private:
  std::span<const std::byte> left_;
  size_t piece_bytes_;
};

// A file, in pieces; skip seeks.
class FileSource final : public ByteSource {
 public:
  FileSource(std::shared_ptr<const Fd> file, uint64_t length);
  Result<std::span<const std::byte>> next() override;
  Result<uint64_t> skip(uint64_t count) override;

 private:
  std::shared_ptr<const Fd> file_;
  uint64_t offset_ = 0;
  uint64_t length_;
  std::vector<std::byte> buffer_;
};

// What a reader gives, in blocks that stay in the cache of the CPU that takes them.
class BlockSource final : public ByteSource {
 public:
  explicit BlockSource(std::unique_ptr<ByteReader> reader);
  Result<std::span<const std::byte>> next() override;

 private:
  std::unique_ptr<ByteReader> reader_;
  std::vector<std::byte> block_;
};

// Fills all of `data` unless the stream ends first; returns how much.
Result<size_t> read_up_to(ByteReader& reader, std::span<std::byte> data);
// Everything the reader gives: EFBIG past `bytes_max`.
Result<std::string> read_all(ByteReader& reader, size_t bytes_max);

}  // namespace lyr::image
