// SPDX-License-Identifier: Apache-2.0
#include "image/manifest.h"

#include <gtest/gtest.h>

#include "image/json_text.h"

namespace lyr::image {
namespace {

const std::string manifest_type = "application/vnd.oci.image.manifest.v1+json";
const std::string index_type = "application/vnd.oci.image.index.v1+json";
const std::string config_type = "application/vnd.oci.image.config.v1+json";
const std::string layer_type = "application/vnd.oci.image.layer.v1.tar+gzip";

std::string descriptor(const std::string& type, const std::string& size = "7") {
  return R"({"mediaType":")" + type + R"(","digest":"sha256:)" + std::string(64, 'a') +
         R"(","size":)" + size + "}";
}

std::string manifest(const std::string& more = "") {
  return R"({"schemaVersion":2,"config":)" + descriptor(config_type) + R"(,"layers":[)" +
         descriptor(layer_type) + "]" + more + "}";
}

std::string index(const std::string& more = "") {
  return R"({"schemaVersion":2,"manifests":[)" + descriptor(manifest_type) + "]" + more + "}";
}

TEST(ManifestTest, aManifestIsRead) {
  auto read = parse_manifest(manifest(), manifest_type);
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  EXPECT_EQ(read->config.media_type, config_type);
  ASSERT_EQ(read->layers.size(), 1u);
  EXPECT_EQ(read->layers[0].size, 7u);
  EXPECT_EQ(read->layers[0].digest.hex(), std::string(64, 'a'));
  std::string docker = R"({"schemaVersion":2,
    "mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
                       descriptor("application/vnd.docker.container.image.v1+json") +
                       R"(,"layers":[)" +
                       descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip") + "]}";
  EXPECT_TRUE(
      parse_manifest(docker, "application/vnd.docker.distribution.manifest.v2+json").has_value());
}

TEST(ManifestTest, anIndexIsReadWithPlatformsAndAnnotations) {
  std::string item = descriptor(manifest_type);
  item.pop_back();
  item += R"(,"platform":{"os":"linux","architecture":"arm64","variant":"v8"},
    "annotations":{"org.opencontainers.image.ref.name":"latest"}})";
  auto read = parse_index(R"({"schemaVersion":2,"manifests":[)" + item + "]}", index_type);
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  ASSERT_TRUE(read->manifests[0].platform.has_value());
  EXPECT_EQ(read->manifests[0].platform->text(), "linux/arm64/v8");
  EXPECT_EQ(read->manifests[0].annotations.at("org.opencontainers.image.ref.name"), "latest");
}

TEST(ManifestTest, whatCouldBeReadInTwoWaysIsRefused) {  // CVE-2021-41190
  const std::string manifests_too = R"(,"manifests":[])";
  EXPECT_FALSE(parse_manifest(manifest(manifests_too), manifest_type).has_value());
  EXPECT_FALSE(parse_index(index(R"(,"layers":[])"), index_type).has_value());
  EXPECT_FALSE(parse_index(index(R"(,"config":null)"), "").has_value());
  EXPECT_FALSE(parse_manifest(manifest(R"(,"fsLayers":[])"), manifest_type).has_value());
  EXPECT_FALSE(parse_manifest(manifest(), index_type).has_value());
  EXPECT_FALSE(parse_index(index(), manifest_type).has_value());
  std::string says_index = R"(,"mediaType":")" + index_type + R"(")";
  std::string says_manifest = R"(,"mediaType":")" + manifest_type + R"(")";
  EXPECT_FALSE(parse_manifest(manifest(says_index), manifest_type).has_value());
  EXPECT_FALSE(parse_index(index(says_manifest), index_type).has_value());
  EXPECT_FALSE(parse_index(index(says_manifest), "").has_value());
  EXPECT_TRUE(parse_index(index(says_index), "").has_value());
  EXPECT_FALSE(parse_manifest(manifest(R"(,"layers":[])"), manifest_type).has_value());
}

TEST(ManifestTest, brokenDocumentsSayWhy) {
  auto with_layer = [](const std::string& layer) {
    return R"({"schemaVersion":2,"config":)" + descriptor(config_type) + R"(,"layers":[)" + layer +
           "]}";
  };
  const std::string table[] = {
      "",
      "[]",
      "{}",
      R"({"schemaVersion":1})",
      R"({"schemaVersion":"2"})",
      R"({"schemaVersion":2,"layers":[]})",
      R"({"schemaVersion":2,"config":)" + descriptor(config_type) + "}",
      R"({"schemaVersion":2,"config":)" + descriptor(layer_type) + R"(,"layers":[]})",
      with_layer("1"),
      with_layer("{}"),
      with_layer(descriptor(layer_type, "-1")),
      with_layer(descriptor(layer_type, "1.5")),
      with_layer(descriptor(layer_type, "99999999999999999999")),
      with_layer(descriptor("application/x-unknown")),
      with_layer(descriptor(config_type)),
      with_layer(R"({"mediaType":")" + layer_type + R"(","digest":"sha256:../../x","size":1})"),
      with_layer(R"({"mediaType":")" + layer_type + R"(","digest":"sha512:aa","size":1})"),
  };
  for (const std::string& text : table) {
    auto read = parse_manifest(text, manifest_type);
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, EBADMSG);
    EXPECT_NE(read.error().subject, nullptr);
  }
  EXPECT_FALSE(parse_index(R"({"schemaVersion":2})", "").has_value());
}

TEST(ManifestTest, platformsFitOnlyThisHost) {
  Platform host = host_platform();
  EXPECT_TRUE(fits_host(host));
  EXPECT_FALSE(fits_host({.os = "windows", .architecture = host.architecture, .variant = ""}));
  EXPECT_FALSE(fits_host({.os = "linux", .architecture = "s390x", .variant = ""}));
  EXPECT_FALSE(fits_host({.os = "unknown", .architecture = "unknown", .variant = ""}));
  EXPECT_FALSE(fits_host({.os = "linux", .architecture = host.architecture, .variant = "v99"}));
}

TEST(ManifestTest, savedImagesAreReadAsDockerWritesThem) {
  auto images = parse_saved_images(R"([{"Config":"c.json","RepoTags":["a:1","b:2"],
    "Layers":["x/layer.tar"]},{"Config":"blobs/sha256/aa","RepoTags":null,"Layers":[],
    "LayerSources":{"sha256:aa":{"mediaType":"x","size":1}}}])");
  ASSERT_TRUE(images.has_value()) << describe(images.error());
  ASSERT_EQ(images->size(), 2u);
  EXPECT_EQ((*images)[0].repo_tags, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_TRUE((*images)[1].repo_tags.empty());
  for (const char* text : {"{}", "[1]", "[{}]", R"([{"Config":1}])", "[{\"Config\":\"a\",",
                           R"([{"Config":"a","Layers":"b"}])"}) {
    EXPECT_FALSE(parse_saved_images(text).has_value()) << text;
  }
}

TEST(ManifestTest, layoutVersionsOtherThanOneAreRefused) {
  EXPECT_TRUE(check_layout_version(R"({"imageLayoutVersion":"1.0.0"})").has_value());
  auto newer = check_layout_version(R"({"imageLayoutVersion":"2.0.0"})");
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code, EPROTONOSUPPORT);
  EXPECT_FALSE(check_layout_version("{}").has_value());
}

}  // namespace
}  // namespace lyr::image
