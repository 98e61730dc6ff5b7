// SPDX-License-Identifier: Apache-2.0
// A whole layout or docker archive, as documents separated by lines of "--": index.json,
// manifest.json (either may be empty), then blobs. "DIGEST3" and "SIZE3" stand for those of
// document 3, so that mutations get past the digests. Later documents may not name earlier ones.
// What is planned is pinned by digests, and the same when it is planned again from a tar of the
// same files.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "image/json_text.h"
#include "image/plan.h"
#include "image/reference.h"
#include "tests/image/tar_maker.h"

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

  const std::map<std::string, std::string>& files() const { return files_; }

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

void check_layer(const Documents& documents, const PlannedLayer& layer) {
  CHECK(!layer.file.starts_with('/') && !layer.file.empty());
  CHECK(("/" + layer.file + "/").find("/../") == std::string::npos);
  if (!layer.digest) return;
  CHECK(layer.file.starts_with("blobs/sha256/") && layer.file.ends_with(layer.digest->hex()));
  auto file = documents.files().find(layer.file);
  if (file != documents.files().end()) CHECK(Digest::of(file->second) == *layer.digest);
}

void check_image(const Documents& documents, const PlannedImage& image) {
  CHECK(Digest::of(image.config_json) == image.id);
  CHECK(parse_config(image.config_json).has_value());
  CHECK(image.layers.size() == image.config.diff_ids.size());
  CHECK(std::ranges::is_sorted(image.tags));
  CHECK(std::ranges::adjacent_find(image.tags) == image.tags.end());
  for (const std::string& tag : image.tags) {
    auto reference = parse_reference(tag);
    CHECK(reference.has_value() && reference->canonical() == tag && !reference->digest);
  }
  for (size_t i = 0; i < image.layers.size(); ++i) {
    CHECK(image.layers[i].diff_id == image.config.diff_ids[i]);
    check_layer(documents, image.layers[i]);
  }
  if (image.manifest_json.empty()) return;
  auto manifest = nlohmann::json::parse(image.manifest_json);
  CHECK(manifest["config"]["digest"] == image.id.text());
}

// The same files, as an archive has them.
Result<Plan> plan_of_tar(const Documents& documents) {
  std::string tar;
  for (const auto& [name, text] : documents.files()) tar += file(name, text);
  tar += end_of_tar();
  Fd directory = TRY(sys::open("/tmp", O_RDONLY | O_DIRECTORY));
  Fd unnamed = TRY(sys::open_unnamed(directory, O_RDWR, 0600));
  TRY(sys::write_all(unnamed, bytes_of(tar)));
  auto archive = std::make_shared<const Fd>(std::move(unnamed));
  auto source = TRY(ArchiveSource::index(std::move(archive), tar.size()));
  return make_plan(source, "repository");
}

void check_same(const Plan& plan, const Plan& other) {
  CHECK(plan.size() == other.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    CHECK(plan[i].id == other[i].id && plan[i].tags == other[i].tags);
    CHECK(plan[i].manifest_json == other[i].manifest_json);
    for (size_t k = 0; k < plan[i].layers.size(); ++k) {
      CHECK(plan[i].layers[k].file == other[i].layers[k].file);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Documents documents({reinterpret_cast<const char*>(data), size});
  auto plan = make_plan(documents, "repository");
  if (!plan) return 0;
  CHECK(!plan->empty());
  std::set<Digest> ids;
  for (const PlannedImage& image : *plan) {
    check_image(documents, image);
    CHECK(ids.insert(image.id).second);
  }
  auto again = plan_of_tar(documents);
  CHECK(again.has_value());
  check_same(*plan, *again);
  return 0;
}
