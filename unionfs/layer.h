// SPDX-License-Identifier: Apache-2.0
// One plain directory of a lower stack. Its names are hostile: all is reached from its descriptor,
// through no symlink and into no other mount.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/override_stat.h"

namespace lyr::unionfs {

// Whiteouts as files, as image layers have them (OCI image specification, "layer"; AUFS).
constexpr std::string_view whiteout_file_prefix = ".wh.";
constexpr std::string_view opaque_file_name = ".wh..wh..opq";
// What such a name hides; empty: it is one of AUFS's own, which stand for nothing.
std::string_view hidden_by(std::string_view whiteout_file);

class Layer {
 public:
  // Where that is allowed, through a private, read-only view of it: then nothing that is mounted
  // below shows, not even later, and no bug of ours writes to it.
  static Result<Layer> open(Fd directory);

  const Fd& root() const { return root_; }
  dev_t device() const { return device_; }

  // `path` is relative to the layer; empty: the layer itself. Of any length.
  Result<Fd> open_directory(std::string_view path) const;

  // What a directory says of what lies below it in other layers.
  struct Says {
    bool opaque = false;   // nothing of it shows
    std::string redirect;  // it is elsewhere: an absolute path, or a name beside; empty: it is not
  };
  // Of marks, and of the opaque file. Neither list() nor this takes the names apart.
  Result<Says> says(const Fd& directory) const;

  enum class Kind : unsigned char {
    other,
    directory,
    whiteout,        // hides what lower layers have
    whiteout_aside,  // so too, but not what this layer has of the same name
  };
  struct Name {
    std::string_view name;
    Kind kind;
    unsigned char type;  // DT_*, never DT_UNKNOWN
  };
  // Calls `each` for every name of an open directory; whiteouts are under the name they hide.
  Result<Says> list(const Fd& directory, const std::function<void(const Name&)>& each) const;

  // Follows no symlink. With the owner and mode that an attribute has instead, where the layer's
  // root has such a one too.
  Result<struct statx> status(const Fd& directory, const char* name) const;

 private:
  Result<struct statx> own_status(const Fd& directory, const char* name) const;
  Layer(Fd root, int status_flags) : root_(std::move(root)), status_flags_(status_flags) {}
  Fd root_;
  int status_flags_;
  dev_t device_ = 0;
  OverrideStat override_;
};

}  // namespace lyr::unionfs
