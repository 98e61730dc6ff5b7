// SPDX-License-Identifier: Apache-2.0
// An archive that can be read at any offset: the file itself where it can be, else an unnamed copy
// in the store's directory, decompressed, that is gone with us whatever happens.
#pragma once

#include <cstdint>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "image/decode.h"
#include "store/store.h"

namespace lyr::image {

constexpr DecodeLimits archive_limits{.bytes_max = uint64_t{1} << 40};

struct PlainArchive {
  std::shared_ptr<const Fd> file;
  uint64_t bytes = 0;
};

// `archive`: a file, from where it stands, or a pipe; gzip and zstd are taken off. EBADMSG: what
// has to be copied does not begin as a tar does. EISDIR.
Result<PlainArchive> open_plain(const store::Store& store, Fd archive);

}  // namespace lyr::image
