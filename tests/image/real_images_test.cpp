// SPDX-License-Identifier: Apache-2.0
// Images that other programs made go into a store, and each layer's tar comes out of it again byte
// for byte as it stands in the archive.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "image/load.h"

namespace lyr::image {
namespace {

namespace fs = std::filesystem;

// Unpacked by the system's tar.
class Unpacked {
 public:
  explicit Unpacked(const std::string& archive)
      : path_(fs::temp_directory_path() / ("lyr-real-images." + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
    auto child = sys::spawn([&] {
      ::execlp("tar", "tar", "-xf", archive.c_str(), "-C", path_.c_str(), nullptr);
      return 127;
    });
    auto ending = child ? sys::wait_pidfd(child->pidfd) : fail(ECHILD, "spawn");
    EXPECT_TRUE(ending && *ending && (*ending)->shell_code() == 0) << "tar -xf " << archive;
    std::ifstream in(path_ / "manifest.json");
    manifest_ = nlohmann::json::parse(in);
  }
  ~Unpacked() { fs::remove_all(path_); }

  std::vector<fs::path> layers() const {
    std::vector<fs::path> paths;
    for (const auto& layer : manifest_.at(0).at("Layers")) {
      paths.push_back(path_ / layer.get<std::string>());
    }
    return paths;
  }
  std::string store() const { return path_ / "store"; }

 private:
  fs::path path_;
  nlohmann::json manifest_;
};

// Where the stream first differs from the file; nothing when it does not.
std::string compare(const store::Store& store, const Digest& diff_id, const fs::path& file) {
  std::ifstream expected(file, std::ios::binary);
  std::vector<char> buffer;
  uint64_t at = 0;
  std::string difference;
  auto sink = [&](std::span<const std::byte> piece) -> Result<> {
    buffer.resize(piece.size());
    expected.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    bool same = expected.gcount() == static_cast<std::streamsize>(piece.size()) &&
                std::ranges::equal(piece, std::as_bytes(std::span(buffer)));
    if (!same && difference.empty()) difference = "after byte " + std::to_string(at);
    at += piece.size();
    return {};
  };
  auto written = store.write_layer_tar(diff_id, sink);
  if (!written) return describe(written.error());
  if (at != fs::file_size(file)) return "after " + std::to_string(at) + " bytes it ends";
  return difference;
}

class RealImages : public testing::TestWithParam<const char*> {};

TEST_P(RealImages, LayersComeBackByteForByte) {
  const char* images = std::getenv("LYR_TEST_IMAGES");
  std::string directory = images != nullptr ? images : LYR_DEFAULT_IMAGES;
  std::string archive = directory + "/" + GetParam() + ".tar";
  Unpacked unpacked(archive);
  auto store = store::Store::open(unpacked.store());
  ASSERT_TRUE(store) << describe(store.error());
  auto file = sys::open(archive.c_str(), O_RDONLY);
  ASSERT_TRUE(file) << describe(file.error());
  auto loaded = load_archive(*store, std::move(*file), {});
  ASSERT_TRUE(loaded) << describe(loaded.error());
  auto record = store->image(loaded->at(0).id);
  ASSERT_TRUE(record && *record);
  auto layers = unpacked.layers();
  ASSERT_EQ((*record)->diff_ids.size(), layers.size());
  ASSERT_FALSE(layers.empty());
  for (size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(compare(*store, (*record)->diff_ids[i], layers[i]), "") << layers[i];
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealImages, testing::Values("busybox", "debian", "python"));

}  // namespace
}  // namespace lyr::image
