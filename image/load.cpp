// SPDX-License-Identifier: Apache-2.0
#include "image/load.h"

#include "image/blob_source.h"
#include "image/load_image.h"
#include "image/plain_archive.h"
#include "image/plan.h"

namespace lyr::image {

Result<std::vector<Loaded>> load_archive(store::Store& store, Fd archive, const Progress& progress,
                                         const LoadOptions& options) {
  PlainArchive plain = TRY(open_plain(store, std::move(archive)));
  auto source = TRY(ArchiveSource::index(plain.file, plain.bytes));
  auto plan = TRY(make_plan(source, options.default_repository));
  return load_plan(store, source, plan, progress, options.keep_blobs);
}

Result<std::vector<Loaded>> load_layout(store::Store& store, const Fd& directory,
                                        const Progress& progress, const LoadOptions& options) {
  DirectorySource source(directory);
  auto plan = TRY(make_plan(source, options.default_repository));
  return load_plan(store, source, plan, progress, options.keep_blobs);
}

}  // namespace lyr::image
