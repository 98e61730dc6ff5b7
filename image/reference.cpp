// SPDX-License-Identifier: Apache-2.0
// The grammar is that of github.com/distribution/reference (reference.go, normalize.go), written
// out as scanners: each takes the longest prefix of its kind.
#include "image/reference.h"

#include <algorithm>

namespace lyr::image {
namespace {

constexpr size_t text_bytes_max = 4096;
constexpr size_t name_bytes_max = 255;  // registry and repository together
constexpr size_t tag_bytes_max = 128;
constexpr std::string_view default_registry = "docker.io";
constexpr std::string_view legacy_registry = "index.docker.io";
constexpr std::string_view official = "library/";
constexpr std::string_view default_tag = "latest";

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }
bool is_path_letter(char c) { return is_lower(c) || is_digit(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

Failure invalid(std::string_view text, const std::string& reason) {
  return fail_saying(EINVAL,
                     "'" + std::string(text.substr(0, 300)) + "' is no image name: " + reason);
}

// [a-z0-9]+ (separator [a-z0-9]+)*, a separator being ".", "_", "__" or any number of "-".
bool is_path_component(std::string_view text) {
  size_t at = 0;
  while (true) {
    size_t word = at;
    while (at < text.size() && is_path_letter(text[at])) ++at;
    if (at == word) return false;
    if (at == text.size()) return true;
    size_t separator = at;
    while (at < text.size() && text[at] == text[separator]) ++at;
    size_t length = at - separator;
    char c = text[separator];
    bool valid = c == '-' || (c == '.' && length == 1) || (c == '_' && length <= 2);
    if (!valid) return false;
  }
}

bool is_repository(std::string_view text) {
  while (true) {
    size_t slash = text.find('/');
    if (!is_path_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_host_component(std::string_view text) {
  if (text.empty() || !is_alnum(text.front()) || !is_alnum(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_host(std::string_view text) {
  if (text.starts_with('[')) {
    if (!text.ends_with(']') || text.size() < 3) return false;
    return std::ranges::all_of(text.substr(1, text.size() - 2),
                               [](char c) { return is_hex(c) || c == ':'; });
  }
  while (true) {
    size_t dot = text.find('.');
    if (!is_host_component(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_registry(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
    std::string_view port = text.substr(colon + 1);
    if (port.empty() || !std::ranges::all_of(port, is_digit)) return false;
    text = text.substr(0, colon);
  }
  return is_host(text);
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > tag_bytes_max) return false;
  if (text.front() == '.' || text.front() == '-') return false;
  return std::ranges::all_of(
      text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

// The first component is a registry when it cannot be part of a repository on the default one.
bool names_registry(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::ranges::any_of(first, is_upper);
}

Result<> set_name(Reference& reference, std::string_view text, std::string_view name) {
  if (name.size() == 64 && std::ranges::all_of(name, is_hex)) {
    return invalid(text, "64 hex digits are an id, not a name");
  }
  size_t slash = name.find('/');
  std::string_view repository = name;
  reference.registry = default_registry;
  if (slash != std::string_view::npos && names_registry(name.substr(0, slash))) {
    std::string_view registry = name.substr(0, slash);
    if (!is_registry(registry)) {
      return invalid(text, "'" + std::string(registry) + "' is not a registry host");
    }
    if (registry != legacy_registry) reference.registry = registry;
    repository = name.substr(slash + 1);
  }
  if (std::ranges::any_of(repository, is_upper)) {
    return invalid(text, "a repository name must be lower case");
  }
  if (!is_repository(repository)) {
    return invalid(text, "'" + std::string(repository) + "' is not a repository name");
  }
  reference.repository = repository;
  if (reference.registry == default_registry && repository.find('/') == std::string_view::npos) {
    reference.repository = std::string(official) + std::string(repository);
  }
  if (reference.registry.size() + 1 + reference.repository.size() > name_bytes_max) {
    return invalid(text, "the name is longer than " + std::to_string(name_bytes_max) + " bytes");
  }
  return {};
}

std::string suffix(const Reference& reference) {
  std::string text;
  if (!reference.tag.empty()) text += ":" + reference.tag;
  if (reference.digest) text += "@" + reference.digest->text();
  return text;
}

}  // namespace

Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  if (text.empty()) return invalid(text, "a name is needed");
  if (text.size() > text_bytes_max) return invalid(text, "too long");
  std::string_view name = text;
  size_t at = name.find('@');
  if (at != std::string_view::npos) {
    auto digest = Digest::parse(name.substr(at + 1));
    if (!digest) return invalid(text, "a digest is sha256: and 64 lower-case hex digits");
    reference.digest = *digest;
    name = name.substr(0, at);
  }
  size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos) {
    std::string_view tag = name.substr(colon + 1);
    if (!is_tag(tag)) return invalid(text, "'" + std::string(tag) + "' is not a tag");
    reference.tag = tag;
    name = name.substr(0, colon);
  }
  TRY(set_name(reference, text, name));
  if (reference.tag.empty() && !reference.digest) reference.tag = default_tag;
  return reference;
}

std::string Reference::canonical() const { return registry + "/" + repository + suffix(*this); }

std::string Reference::familiar() const {
  if (registry != default_registry) return canonical();
  std::string_view name = repository;
  if (name.starts_with(official) && name.find('/', official.size()) == std::string_view::npos) {
    name.remove_prefix(official.size());
  }
  // Some names mean another image, or none, without their registry: "docker.io/docker.io/x".
  std::string text = std::string(name) + suffix(*this);
  auto meaning = parse_reference(text);
  return meaning && meaning->canonical() == canonical() ? text : canonical();
}

std::string familiar(std::string_view canonical) {
  auto reference = parse_reference(canonical);
  if (!reference || reference->canonical() != canonical) return std::string(canonical);
  return reference->familiar();
}

}  // namespace lyr::image
