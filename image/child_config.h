// SPDX-License-Identifier: Apache-2.0
// The config of an image that is another one and a layer more.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"
#include "image/instruction.h"

namespace lyr::image {

struct ChildImage {
  ConfigChange change;          // how it is to be run; diff_ids of it are not looked at
  std::optional<Digest> layer;  // none: its files are the parent's
  std::string created;          // RFC 3339
  std::string created_by;
  std::string author;
  std::string comment;
};

// What `parent`, a config, says beside that stays (the platform, a health check). Triggers of
// ONBUILD do not: they were for this image. EBADMSG, also for what would be no valid config.
Result<std::string> child_config(std::string_view parent, const ChildImage& child);

}  // namespace lyr::image
