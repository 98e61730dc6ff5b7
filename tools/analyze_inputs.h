// SPDX-License-Identifier: Apache-2.0
// What `lyr store analyze` is to read: images of the store, archives, layouts and layers, as a
// person names them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "image/layer_archive.h"
#include "tools/analysis_report.h"

namespace lyr::tools {

class AnalyzeInputs {
 public:
  explicit AnalyzeInputs(engine::Engine& engine) : engine_(engine) {}

  // An image's name or id; else a file. What begins with / or . is a file, "-" is standard input.
  // ENOENT: neither.
  Result<> add(const std::string& name);

  const std::vector<AnalysisInput>& list() const { return list_; }

  // Gives every layer to `analysis`; one that several images have is read once. `progress` is told
  // the bytes of tar that were read, and the total where that is known (else 0).
  using Progress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;
  Result<> read(store::Analysis& analysis, const Progress& progress);

 private:
  Result<> add_image(const std::string& name, const store::ImageRecord& image);
  Result<> add_file(const std::string& name);
  Result<> read_layer(store::Analysis& analysis, image::ByteSource& tar, uint64_t times,
                      const Progress& progress);
  Result<uint64_t> total_bytes();

  engine::Engine& engine_;
  std::vector<AnalysisInput> list_;
  std::map<Digest, uint64_t> stored_;  // layers of the store, and how many images have them
  struct Archive {
    std::string name;
    image::LayerArchive layers;
  };
  std::vector<Archive> archives_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace lyr::tools
