// SPDX-License-Identifier: Apache-2.0
// A SHA-256 digest and its OCI text form "sha256:<64 lower-case hex digits>" (image-spec,
// descriptor.md).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace lyr {

struct Digest {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  bool is_zero() const { return *this == Digest{}; }

  std::string hex() const;   // 64 digits
  std::string text() const;  // "sha256:" + hex()

  // Takes exactly "sha256:" and 64 lower-case hex digits; EINVAL for all else (no other algorithm
  // is trusted, and a digest is used as a file name).
  static Result<Digest> parse(std::string_view text);
  static Result<Digest> parse_hex(std::string_view hex);
  static Digest of(std::span<const std::byte> data);
  static Digest of(std::string_view data);
};

// SHA-256 of a stream. Not thread-safe; one hasher a stream.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept = default;
  Sha256& operator=(Sha256&&) noexcept = default;
  void update(std::span<const std::byte> data);
  // The digest of all so far; the hasher then starts anew.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace lyr
