// SPDX-License-Identifier: Apache-2.0
// The named files of an image archive or layout, wherever they are. No name found in an image is
// ever joined to a host path: it is looked up in the archive's own table, or beneath one directory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "image/byte_stream.h"

namespace lyr::image {

constexpr size_t archive_members_max = 1 << 17;

class BlobSource {
 public:
  virtual ~BlobSource() = default;
  // Bytes of the regular file `name`; nothing when there is none. Links are followed inside.
  virtual Result<std::optional<uint64_t>> size(const std::string& name) const = 0;
  // ENOENT when there is none.
  virtual Result<std::unique_ptr<ByteReader>> open(const std::string& name) const = 0;
};

// A tar that can be read at any offset, indexed by one pass over its headers.
class ArchiveSource final : public BlobSource {
 public:
  // EBADMSG: not a tar, or cut off. `length`: of the file.
  static Result<ArchiveSource> index(std::shared_ptr<const Fd> file, uint64_t length);
  Result<std::optional<uint64_t>> size(const std::string& name) const override;
  Result<std::unique_ptr<ByteReader>> open(const std::string& name) const override;

 private:
  struct Member {
    uint64_t offset = 0;
    uint64_t size = 0;
    std::string link;  // the member it stands for; empty: a file
  };
  explicit ArchiveSource(std::shared_ptr<const Fd> file) : file_(std::move(file)) {}
  const Member* find(const std::string& name) const;

  std::shared_ptr<const Fd> file_;
  std::map<std::string, Member> members_;
};

// A directory; names may not leave it.
class DirectorySource final : public BlobSource {
 public:
  explicit DirectorySource(const Fd& directory) : directory_(directory) {}
  Result<std::optional<uint64_t>> size(const std::string& name) const override;
  Result<std::unique_ptr<ByteReader>> open(const std::string& name) const override;

 private:
  const Fd& directory_;
};

// `name` without empty and "." parts; ".." takes a part away. Nothing when it leaves the top.
std::optional<std::string> normal_name(std::string_view name);

// A small file whole. ENOENT when absent, EFBIG when larger than `bytes_max`.
Result<std::string> read_text(const BlobSource& source, const std::string& name, size_t bytes_max);

}  // namespace lyr::image
