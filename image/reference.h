// SPDX-License-Identifier: Apache-2.0
// Image references as people write them ("debian", "user/app:1", "host:5000/x@sha256:…") and their
// one canonical form, by the grammar of the distribution project's reference package.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace lyr::image {

struct Reference {
  std::string registry;    // "docker.io" when none is written
  std::string repository;  // "library/debian" for "debian"
  std::string tag;         // "latest" when neither tag nor digest is written
  std::optional<Digest> digest;

  std::string canonical() const;  // "docker.io/library/debian:latest"
  std::string familiar() const;   // "debian:latest", as docker shows it
};

// EINVAL with what is wrong as the subject.
Result<Reference> parse_reference(std::string_view text);
// The familiar form of a canonical name; the name itself when it is none.
std::string familiar(std::string_view canonical);

}  // namespace lyr::image
