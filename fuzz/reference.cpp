// SPDX-License-Identifier: Apache-2.0
// What parses has one canonical form, which parses to itself; its familiar form names the same. A
// second parser, the distribution project's regular expressions as they are published, takes the
// same names and makes the same of them.
#include "image/reference.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <regex>
#include <string>

#include "base/check.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr size_t name_bytes_max = 255;
constexpr size_t text_bytes_max = 600;  // std::regex takes a stack frame a letter

const std::string label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const std::string host = "(?:" + label + "(?:\\." + label + ")*|\\[[a-fA-F0-9:]+\\])";
const std::string component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const std::string tag = "[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}";

// What normalize.go makes of a name: "registry/repository[:tag][@digest]".
std::optional<std::string> canonical_by_regex(const std::string& text) {
  static const std::regex registry_form(host + "(?::[0-9]+)?");
  static const std::regex rest_form("(" + component + "(?:/" + component + ")*)(:" + tag +
                                    ")?(@sha256:[0-9a-f]{64})?");
  static const std::regex id_form("[a-fA-F0-9]{64}(?::[^/@]*)?(?:@.*)?");
  // With a tag, too: docker takes it for a name, and for an id without.
  if (std::regex_match(text, id_form)) return std::nullopt;
  std::string registry = "docker.io";
  std::string rest = text;
  size_t slash = text.find('/');
  std::string first = text.substr(0, slash);
  bool upper = std::ranges::any_of(first, [](char c) { return c >= 'A' && c <= 'Z'; });
  bool registry_first = first.find_first_of(".:") != std::string::npos || first == "localhost";
  if (slash != std::string::npos && (registry_first || upper)) {
    registry = first == "index.docker.io" ? "docker.io" : first;
    rest = text.substr(slash + 1);
  }
  if (registry == "docker.io" && rest.find('/') == std::string::npos) rest = "library/" + rest;
  std::smatch parts;
  if (!std::regex_match(registry, registry_form) || !std::regex_match(rest, parts, rest_form)) {
    return std::nullopt;
  }
  std::string name = registry + "/" + parts.str(1);
  if (name.size() > name_bytes_max) return std::nullopt;
  bool bare = !parts[2].matched && !parts[3].matched;
  return name + (bare ? ":latest" : parts.str(2) + parts.str(3));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto reference = parse_reference(text);
  if (size <= text_bytes_max) {
    auto expected = canonical_by_regex(text);
    CHECK(reference.has_value() == expected.has_value());
    if (reference) CHECK(reference->canonical() == *expected);
  }
  if (!reference) {
    CHECK(reference.error().code == EINVAL && reference.error().subject != nullptr);
    return 0;
  }
  auto canonical = parse_reference(reference->canonical());
  CHECK(canonical.has_value() && canonical->canonical() == reference->canonical());
  CHECK(canonical->registry == reference->registry && canonical->tag == reference->tag);
  CHECK(canonical->repository == reference->repository && canonical->digest == reference->digest);
  auto short_form = parse_reference(familiar(reference->canonical()));
  CHECK(short_form.has_value() && short_form->canonical() == reference->canonical());
  return 0;
}
