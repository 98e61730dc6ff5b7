// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace lyr {
namespace {

constexpr std::string_view prefix = "sha256:";
constexpr char hex_digits[] = "0123456789abcdef";

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Digest::hex() const {
  std::string text(64, '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = hex_digits[bytes[i] >> 4];
    text[2 * i + 1] = hex_digits[bytes[i] & 15];
  }
  return text;
}

std::string Digest::text() const { return std::string(prefix) + hex(); }

Result<Digest> Digest::parse_hex(std::string_view hex) {
  Digest digest;
  if (hex.size() != 64) return fail(EINVAL, "digest", std::string(hex.substr(0, 80)));
  for (size_t i = 0; i < digest.bytes.size(); ++i) {
    int high = nibble(hex[2 * i]);
    int low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0) return fail(EINVAL, "digest", std::string(hex));
    digest.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return digest;
}

Result<Digest> Digest::parse(std::string_view text) {
  if (!text.starts_with(prefix)) return fail(EINVAL, "digest", std::string(text.substr(0, 80)));
  return parse_hex(text.substr(prefix.size()));
}

Digest Digest::of(std::span<const std::byte> data) {
  Sha256 hasher;
  hasher.update(data);
  return hasher.finish();
}

Digest Digest::of(std::string_view data) { return of(std::as_bytes(std::span(data))); }

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(std::span<const std::byte> data) {
  CHECK(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest;
  unsigned length = 0;
  CHECK(EVP_DigestFinal_ex(context_.get(), digest.bytes.data(), &length) == 1 && length == 32);
  CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  return digest;
}

}  // namespace lyr
