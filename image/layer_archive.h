// SPDX-License-Identifier: Apache-2.0
// A file as a set of layers to be read, not loaded: an image archive (docker save, OCI) or an OCI
// layout has those of its images; any other tar is one layer by itself. Nothing that it says of its
// layers is verified.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "image/blob_source.h"
#include "store/store.h"

namespace lyr::image {

class LayerArchive {
 public:
  struct Layer {
    std::string file;    // within the archive; empty: the archive is the layer
    uint64_t times = 0;  // that its images have it
    uint64_t bytes = 0;  // of the file
  };

  // `file`: a tar, plain or compressed by gzip or zstd, a pipe that gives one, or a layout's
  // directory. A compressed image archive and a pipe are copied to the store's directory first. A
  // tar is an image when it has docker's manifest.json or an OCI layout. EBADMSG: damaged.
  static Result<LayerArchive> open(const store::Store& store, Fd file);

  size_t images() const { return images_; }  // 0: the archive is the layer
  const std::vector<Layer>& layers() const { return layers_; }
  // The layer's tar, decompressed.
  Result<std::unique_ptr<ByteSource>> open_layer(const Layer& layer) const;

 private:
  Result<> take_images(std::unique_ptr<BlobSource> source);
  Result<> take_tar(const store::Store& store, Fd file);

  std::shared_ptr<const Fd> file_;
  std::unique_ptr<BlobSource> source_;  // of the images' layers
  size_t images_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace lyr::image
