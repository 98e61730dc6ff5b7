// SPDX-License-Identifier: Apache-2.0
// What an image config says about running it (image-spec config.md, and docker's extensions).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace lyr::image {

constexpr size_t image_layers_max = 1024;

struct Config {
  std::string architecture;
  std::string os;
  std::string created;  // RFC 3339, as written
  std::string author;
  std::vector<std::string> env;  // "NAME=value"
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> shell;  // of commands that are no list; empty: /bin/sh -c
  std::string user;
  std::string working_dir;
  std::string stop_signal;
  std::vector<std::string> volumes;        // paths, sorted
  std::vector<std::string> exposed_ports;  // "80/tcp", sorted
  std::map<std::string, std::string> labels;
  std::vector<Digest> diff_ids;
};

// EBADMSG with the reason as the subject for anything that is not a valid config.
Result<Config> parse_config(std::string_view json);

// `created` in seconds since 1970; 0 when it is absent or no date.
int64_t created_unix(const Config& config);

}  // namespace lyr::image
