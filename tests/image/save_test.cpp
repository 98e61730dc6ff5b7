// SPDX-License-Identifier: Apache-2.0
// What is saved is what was loaded: layers byte for byte, whatever their tars are like, and the
// manifest, where its blobs can be given.
#include "image/save.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/sys_file.h"
#include "image/blob_source.h"
#include "image/load.h"
#include "image/manifest.h"
#include "tests/image/compressed.h"
#include "tests/image/tar_maker.h"
#include "tests/store/tree_text.h"

namespace lyr::image {
namespace {

using store::must;
using TestJson = nlohmann::ordered_json;

// Duplicate paths, pax records nobody knows, a sparse file, a payload of two blocks, and bytes
// after the end.
std::string odd_tar() {
  std::string sparse = pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0") +
                       pax_record("GNU.sparse.name", "sparse") +
                       pax_record("GNU.sparse.realsize", "1000000");
  std::string map = padded("1\n8192\n5\n");
  std::string tar = file("twice", "first") + file("twice", "second") +
                    extension('g', pax_record("comment", "of no use")) +
                    extension('x', pax_record("vendor.key", "kept") + pax_record("mtime", "1.5")) +
                    file("odd", std::string(700, 'o')) + extension('x', sparse) +
                    header({.name = "GNUSparseFile.0/sparse", .size = map.size() + 5}) + map +
                    padded("tail!");
  return tar + end_of_tar() + "not zeros at all";
}

class SaveTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "lyr-save-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    store_.emplace(must(store::Store::open(directory_ + "/store")));
  }
  void TearDown() override {
    store_.reset();
    must(sys::remove_all_at(sys::cwd(), directory_.c_str()));
  }

  std::shared_ptr<const Fd> as_file(const std::string& content) {
    Fd directory = must(sys::open(directory_.c_str(), O_RDONLY | O_DIRECTORY));
    Fd spool = must(sys::open_unnamed(directory, O_RDWR, 0600));
    must(sys::write_all(spool, content));
    must(sys::seek(spool, 0, SEEK_SET));
    return std::make_shared<const Fd>(std::move(spool));
  }
  std::vector<Loaded> load(const std::string& archive, bool keep_blobs = false) {
    auto file = as_file(archive);
    LoadOptions options{.keep_blobs = keep_blobs};
    return must(load_archive(*store_, must(sys::dup(*file)), {}, options));
  }
  // As `lyr rmi` does; the next command opens the store anew.
  void remove(const Digest& id) {
    must(store_->remove_image(id));
    store_.reset();
    store_.emplace(must(store::Store::open(directory_ + "/store")));
  }
  std::string save(std::vector<ImageToSave> images, ArchiveFormat format) {
    std::string archive;
    auto sink = [&](std::span<const std::byte> piece) -> Result<> {
      archive.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    };
    must(save_images(*store_, images, format, sink, {}));
    return archive;
  }
  std::string member(const std::string& archive, const std::string& name) {
    auto source = must(ArchiveSource::index(as_file(archive), archive.size()));
    return must(read_text(source, name, 64 << 20));
  }

  static std::string config_of(const std::vector<std::string>& tars) {
    TestJson config{{"architecture", "amd64"}, {"os", "linux"}, {"config", TestJson::object()}};
    config["rootfs"]["type"] = "layers";
    config["rootfs"]["diff_ids"] = TestJson::array();
    for (const std::string& tar : tars) {
      config["rootfs"]["diff_ids"].push_back(Digest::of(tar).text());
    }
    return config.dump();
  }
  // An OCI layout of one image, its layers given as they are (tars or not) in `blobs`.
  static std::string layout(const std::string& config, const std::vector<std::string>& blobs,
                            const std::string& layer_type, std::string* manifest_text) {
    auto descriptor = [](const std::string& type, const std::string& blob) {
      return TestJson{
          {"mediaType", type}, {"digest", Digest::of(blob).text()}, {"size", blob.size()}};
    };
    TestJson manifest{{"schemaVersion", 2}, {"config", descriptor(oci_config_type, config)}};
    for (const std::string& blob : blobs) {
      manifest["layers"].push_back(descriptor(layer_type, blob));
    }
    manifest["annotations"]["made-by"] = "hand";
    *manifest_text = manifest.dump(2);
    TestJson index;
    index["schemaVersion"] = 2;
    index["manifests"].push_back(descriptor(oci_manifest_type, *manifest_text));
    std::string archive =
        file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})") + file("index.json", index.dump());
    auto add = [&](const std::string& blob) {
      archive += file("blobs/sha256/" + Digest::of(blob).hex(), blob);
    };
    add(*manifest_text);
    add(config);
    for (const std::string& blob : blobs) add(blob);
    return archive + end_of_tar();
  }

  std::string directory_;
  std::optional<store::Store> store_;
};

constexpr const char* tag = "docker.io/library/x:1";

TEST_F(SaveTest, DockerArchiveGivesLayersByteForByte) {
  std::string text;
  auto loaded = load(layout(config_of({odd_tar()}), {odd_tar()}, oci_layer_type, &text));
  std::string archive = save({{loaded[0].id, {tag, "host:5000/y/z:2"}}}, ArchiveFormat::docker);
  auto manifest = TestJson::parse(member(archive, "manifest.json"));
  ASSERT_EQ(manifest.size(), 1u);
  EXPECT_EQ(manifest[0]["RepoTags"], (TestJson{tag, "host:5000/y/z:2"}));
  EXPECT_EQ(manifest[0]["Config"], loaded[0].id.hex() + ".json");
  EXPECT_EQ(Digest::of(member(archive, manifest[0]["Config"])), loaded[0].id);
  ASSERT_EQ(manifest[0]["Layers"].size(), 1u);
  EXPECT_EQ(member(archive, manifest[0]["Layers"][0]), odd_tar());
  auto names = TestJson::parse(member(archive, "repositories"));
  EXPECT_EQ(names["docker.io/library/x"]["1"], Digest::of(odd_tar()).hex());
  EXPECT_EQ(names["host:5000/y/z"]["2"], Digest::of(odd_tar()).hex());
}

TEST_F(SaveTest, SavedTwiceIsTheSameAndLoadsAsTheSame) {
  std::string text;
  auto loaded = load(layout(config_of({odd_tar()}), {odd_tar()}, oci_layer_type, &text));
  for (ArchiveFormat format : {ArchiveFormat::docker, ArchiveFormat::oci}) {
    std::string archive = save({{loaded[0].id, {tag}}}, format);
    EXPECT_EQ(save({{loaded[0].id, {tag}}}, format), archive);
    remove(loaded[0].id);
    auto again = load(archive);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].id, loaded[0].id);
    EXPECT_EQ(again[0].tags, std::vector<std::string>{tag});
  }
}

TEST_F(SaveTest, ImagesShareTheirLayers) {
  std::string base = file("base", std::string(50000, 'b')) + end_of_tar();
  std::string top = file("top", "t") + end_of_tar();
  std::string text;
  auto one = load(layout(config_of({base}), {base}, oci_layer_type, &text));
  // A layer may stand in an image twice.
  auto two = load(layout(config_of({base, top, base}), {base, top, base}, oci_layer_type, &text));
  std::vector<ImageToSave> both{{one[0].id, {}}, {two[0].id, {tag}}};
  for (ArchiveFormat format : {ArchiveFormat::docker, ArchiveFormat::oci}) {
    std::string archive = save(both, format);
    EXPECT_LT(archive.size(), 2 * base.size() + top.size());
    EXPECT_EQ(load(archive).size(), 2u);
  }
  auto manifest = TestJson::parse(member(save(both, ArchiveFormat::docker), "manifest.json"));
  EXPECT_EQ(manifest[0]["RepoTags"], TestJson::array());
  EXPECT_EQ(manifest[1]["Layers"][0], manifest[1]["Layers"][2]);
}

TEST_F(SaveTest, AnImageWithoutLayersIsOne) {
  std::string text;
  std::string config = config_of({});
  auto plain = file("c.json", config) +
               file("manifest.json", R"([{"Config":"c.json","RepoTags":["e:1"],"Layers":[]}])");
  auto loaded = load(plain + end_of_tar());
  for (ArchiveFormat format : {ArchiveFormat::docker, ArchiveFormat::oci}) {
    EXPECT_EQ(load(save({{loaded[0].id, {tag}}}, format))[0].id, loaded[0].id);
  }
}

TEST_F(SaveTest, OciKeepsTheManifestOfPlainLayers) {
  std::string text;
  auto loaded = load(layout(config_of({odd_tar()}), {odd_tar()}, oci_layer_type, &text));
  std::string archive = save({{loaded[0].id, {tag}}}, ArchiveFormat::oci);
  auto index = TestJson::parse(member(archive, "index.json"));
  EXPECT_EQ(index["manifests"][0]["digest"], Digest::of(text).text());
  EXPECT_EQ(index["manifests"][0]["annotations"][ref_name_annotation], tag);
  EXPECT_EQ(index["manifests"][0]["annotations"][containerd_name_annotation], tag);
  EXPECT_EQ(member(archive, "blobs/sha256/" + Digest::of(text).hex()), text);
}

TEST_F(SaveTest, OciGivesPlainLayersWhereNoBlobIsKept) {
  std::string text;
  std::string blob = zstd(odd_tar());
  std::string type = std::string(oci_layer_type) + "+zstd";
  auto loaded = load(layout(config_of({odd_tar()}), {blob}, type, &text));
  std::string archive = save({{loaded[0].id, {tag, "docker.io/library/y:2"}}}, ArchiveFormat::oci);
  auto index = TestJson::parse(member(archive, "index.json"));
  ASSERT_EQ(index["manifests"].size(), 2u);
  std::string digest = index["manifests"][0]["digest"];
  EXPECT_NE(digest, Digest::of(text).text());
  auto manifest =
      must(parse_manifest(member(archive, "blobs/sha256/" + digest.substr(7)), oci_manifest_type));
  EXPECT_EQ(manifest.config.digest, loaded[0].id);
  EXPECT_EQ(manifest.layers[0].media_type, oci_layer_type);
  EXPECT_EQ(manifest.layers[0].digest, Digest::of(odd_tar()));
}

TEST_F(SaveTest, OciGivesKeptBlobsAndTheirManifest) {
  std::string text;
  std::string blob = zstd(odd_tar());
  std::string type = std::string(oci_layer_type) + "+zstd";
  std::string original = layout(config_of({odd_tar()}), {blob}, type, &text);
  load(original);
  auto loaded = load(original, true);  // the layer is here already
  std::string archive = save({{loaded[0].id, {tag}}}, ArchiveFormat::oci);
  auto index = TestJson::parse(member(archive, "index.json"));
  EXPECT_EQ(index["manifests"][0]["digest"], Digest::of(text).text());
  EXPECT_EQ(member(archive, "blobs/sha256/" + Digest::of(blob).hex()), blob);
  remove(loaded[0].id);
  load(archive, true);
  EXPECT_EQ(save({{loaded[0].id, {tag}}}, ArchiveFormat::oci), archive);
  std::string docker = save({{loaded[0].id, {tag}}}, ArchiveFormat::docker);
  EXPECT_EQ(member(docker, Digest::of(odd_tar()).hex() + ".tar"), odd_tar());
}

TEST_F(SaveTest, ABlobThatIsNotTheLayersIsNotKept) {
  std::string text;
  std::string plain = file("a", "a") + end_of_tar();
  load(layout(config_of({plain}), {plain}, oci_layer_type, &text));
  std::string type = std::string(oci_layer_type) + "+zstd";
  auto archive = as_file(layout(config_of({plain}), {zstd(odd_tar())}, type, &text));
  auto loaded = load_archive(*store_, must(sys::dup(*archive)), {}, {.keep_blobs = true});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, EBADMSG);
  EXPECT_FALSE(must(store_->layer(Digest::of(plain)))->blob_kept);
}

TEST_F(SaveTest, WhatTheSinkSaysEndsIt) {
  std::string text;
  auto loaded = load(layout(config_of({odd_tar()}), {odd_tar()}, oci_layer_type, &text));
  std::vector<ImageToSave> images{{loaded[0].id, {}}};
  auto full = [](std::span<const std::byte>) -> Result<> { return fail(ENOSPC, "write"); };
  auto saved = save_images(*store_, images, ArchiveFormat::docker, full, {});
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ENOSPC);
  images[0].id = Digest::of("another");
  auto absent = save_images(*store_, images, ArchiveFormat::docker, full, {});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ENOENT);
}

}  // namespace
}  // namespace lyr::image
