// SPDX-License-Identifier: Apache-2.0
// A whole layout or docker archive, as documents separated by lines of "--": index.json,
// manifest.json (either may be empty), then blobs. "DIGEST3" and "SIZE3" stand for those of
// document 3, so that mutations get past the digests. Later documents may not name earlier ones.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "image/plan.h"
#include "image/reference.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr size_t documents_max = 10;  // one digit names a document

class Documents final : public BlobSource {
 public:
  explicit Documents(std::string_view text) {
    std::vector<std::string> all;
    while (all.size() < documents_max) {
      size_t end = text.find("\n--\n");
      all.emplace_back(text.substr(0, end));
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 4);
    }
    for (size_t i = all.size(); i-- > 0;) {
      for (size_t k = i + 1; k < all.size(); ++k) {
        fill_in(all[i], "DIGEST" + std::to_string(k), Digest::of(all[k]).text());
        fill_in(all[i], "HEX" + std::to_string(k), Digest::of(all[k]).hex());
        fill_in(all[i], "SIZE" + std::to_string(k), std::to_string(all[k].size()));
      }
      if (i > 1) files_["blobs/sha256/" + Digest::of(all[i]).hex()] = all[i];
      if (i <= 1 && !all[i].empty()) files_[i == 0 ? "index.json" : "manifest.json"] = all[i];
    }
    files_["oci-layout"] = R"({"imageLayoutVersion":"1.0.0"})";
  }

  Result<std::optional<uint64_t>> size(const std::string& name) const override {
    auto file = files_.find(name);
    return file == files_.end() ? std::nullopt : std::optional<uint64_t>(file->second.size());
  }
  Result<std::unique_ptr<ByteReader>> open(const std::string& name) const override {
    auto file = files_.find(name);
    if (file == files_.end()) return fail(ENOENT, "open", name);
    return std::make_unique<MemoryReader>(std::as_bytes(std::span(file->second)));
  }

 private:
  static void fill_in(std::string& text, const std::string& mark, const std::string& value) {
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), value);
    }
  }
  std::map<std::string, std::string> files_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Documents documents({reinterpret_cast<const char*>(data), size});
  auto plan = make_plan(documents, "repository");
  if (!plan) return 0;
  CHECK(!plan->empty());
  for (const PlannedImage& image : *plan) {
    CHECK(Digest::of(image.config_json) == image.id);
    CHECK(image.layers.size() == image.config.diff_ids.size());
    for (const std::string& tag : image.tags) {
      auto reference = parse_reference(tag);
      CHECK(reference.has_value() && reference->canonical() == tag);
    }
    for (const PlannedLayer& layer : image.layers) {
      CHECK(("/" + layer.file + "/").find("/../") == std::string::npos);
    }
  }
  return 0;
}
