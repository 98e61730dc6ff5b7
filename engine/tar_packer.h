// SPDX-License-Identifier: Apache-2.0
// Files, directories and whatever else a file system holds as members of a tar, one by one: what
// `lyr cp` and `lyr commit` have in common.
#pragma once

#include <sys/stat.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "image/tar_writer.h"

namespace lyr::engine {

// How much is kept of a file. `usual`: what tar keeps, with times in whole seconds. `exact`: all of
// it, with the extended attributes that a layer may have.
enum class Keep { usual, exact };

// Not thread-safe; what fails once must not be asked again.
class TarPacker {
 public:
  TarPacker(const Fd& tar, Keep keep);
  TarPacker(const TarPacker&) = delete;
  TarPacker& operator=(const TarPacker&) = delete;

  // What `base` in `parent` is, as `name`; of a directory not what is in it. `identity`: what is
  // the same file has the same; a further name of one that is there already is a hard link to that.
  // Nothing for sockets, which no tar can hold, and for what has just become something else.
  using Identity = std::pair<dev_t, ino_t>;
  Result<> add(const Fd& parent, const std::string& base, const std::string& name,
               const struct stat& info, const Identity& identity);
  // An empty file of that name.
  Result<> add_empty(const std::string& name);
  Result<> finish() { return writer_.finish(); }

 private:
  const std::string* earlier_name(const Identity& identity, const std::string& name);
  Result<> add_attributes(const Fd& object, image::TarEntry& entry) const;
  Result<> add_file(const Fd& parent, const std::string& base, image::TarEntry entry);
  Result<> add_content(const Fd& file, uint64_t from, uint64_t to);
  Result<> add_sparse_content(const Fd& file, uint64_t size);

  store::ByteSink sink_;
  image::TarWriter writer_;
  Keep keep_;
  std::vector<std::byte> buffer_;
  std::map<Identity, std::string> names_;
};

}  // namespace lyr::engine
