// SPDX-License-Identifier: Apache-2.0
#include "image/config.h"

#include <gtest/gtest.h>

#include "image/json_text.h"

namespace lyr::image {
namespace {

const std::string id = "sha256:" + std::string(64, '7');

std::string rootfs() { return R"("rootfs":{"type":"layers","diff_ids":[")" + id + R"("]})"; }

TEST(ConfigTest, everyFieldIsRead) {
  auto config = parse_config(R"({"architecture":"amd64","os":"linux","author":"me",
    "created":"2026-11-24T14:05:50.078608604Z","config":{"Env":["PATH=/bin","EMPTY="],
    "Entrypoint":["/e","1"],"Cmd":["c"],"User":"1:2","WorkingDir":"/w","StopSignal":"SIGINT",
    "Volumes":{"/b":{},"/a":{}},"ExposedPorts":{"80/tcp":{}},"Labels":{"k":"v"}},)" +
                             rootfs() + "}");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->architecture, "amd64");
  EXPECT_EQ(config->os, "linux");
  EXPECT_EQ(config->author, "me");
  EXPECT_EQ(created_unix(*config), 1795529150);
  EXPECT_EQ(config->env, (std::vector<std::string>{"PATH=/bin", "EMPTY="}));
  EXPECT_EQ(config->entrypoint, (std::vector<std::string>{"/e", "1"}));
  EXPECT_EQ(config->cmd, (std::vector<std::string>{"c"}));
  EXPECT_EQ(config->user, "1:2");
  EXPECT_EQ(config->working_dir, "/w");
  EXPECT_EQ(config->stop_signal, "SIGINT");
  EXPECT_EQ(config->volumes, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(config->exposed_ports, (std::vector<std::string>{"80/tcp"}));
  EXPECT_EQ(config->labels.at("k"), "v");
  ASSERT_EQ(config->diff_ids.size(), 1u);
  EXPECT_EQ(config->diff_ids[0].text(), id);
}

TEST(ConfigTest, whatDockerLeavesOutOrNullIsEmpty) {
  for (const char* section :
       {"", R"("config":null,)", R"("config":{},)",
        R"("config":{"Env":null,"Cmd":null,"Labels":null,"Volumes":null},)"}) {
    auto config = parse_config("{" + std::string(section) + rootfs() + "}");
    ASSERT_TRUE(config.has_value()) << section;
    EXPECT_TRUE(config->env.empty());
    EXPECT_EQ(created_unix(*config), 0);
  }
  auto config = parse_config(R"({"config":{"Entrypoint":"/bin/sh"},)" + rootfs() + "}");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->entrypoint, (std::vector<std::string>{"/bin/sh"}));
}

TEST(ConfigTest, createdHasAnOffsetOrIsNoDate) {
  Config config;
  const std::pair<const char*, int64_t> table[] = {{"1970-01-01T00:00:10Z", 10},
                                                   {"1970-01-01T02:00:00+02:00", 0},
                                                   {"1970-01-01T00:00:00-01:30", 5400},
                                                   {"0001-01-01T00:00:00Z", -62135596800},
                                                   {"yesterday", 0},
                                                   {"1970-01-01", 0},
                                                   {"1970-01-01T00:00:10", 0},
                                                   {"2024-02-29T00:00:00Z", 1709164800},
                                                   {"2023-02-29T00:00:00Z", 0},
                                                   {"1971-13-01T00:00:00Z", 0},
                                                   {"1971-01-01T24:00:00Z", 0},
                                                   {"1971-01-01T00:00:61Z", 0},
                                                   {"1972-06-30T23:59:60Z", 78796799},
                                                   {" 971-+1- 1T00:00:00Z", 0},
                                                   {"1971-01-01T00:00:00.Z", 0},
                                                   {"1971-01-01T00:00:00.5z", 31536000},
                                                   {"1971-01-01T00:00:00Zx", 0},
                                                   {"1971-01-01T00:00:00+24:00", 0},
                                                   {"1971-01-01T00:00:00+-1:00", 0}};
  for (const auto& [text, seconds] : table) {
    config.created = text;
    EXPECT_EQ(created_unix(config), seconds) << text;
  }
}

TEST(ConfigTest, whatIsNoConfigSaysWhy) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "[";
  std::string env = R"({"config":{"Env":[)";
  for (int i = 0; i < 5000; ++i) env += R"("A=1",)";
  env += R"("A=1"]},)" + rootfs() + "}";
  const std::string table[] = {
      "",
      "null",
      "[]",
      "{",
      "{}",
      "{} {}",
      deep,
      env,
      R"({"rootfs":null})",
      R"({"rootfs":{"type":"tree","diff_ids":[]}})",
      R"({"rootfs":{"type":"layers","diff_ids":["sha256:12"]}})",
      R"({"rootfs":{"type":"layers","diff_ids":["../../etc"]}})",
      R"({"rootfs":{"type":"layers","diff_ids":[1]}})",
      R"({"rootfs":{"type":"layers","diff_ids":{}}})",
      R"({"os":1,)" + rootfs() + "}",
      R"({"config":[],)" + rootfs() + "}",
      R"({"config":{"Env":"A=1"},)" + rootfs() + "}",
      R"({"config":{"Env":["A=1",2]},)" + rootfs() + "}",
      R"({"config":{"Env":["=1"]},)" + rootfs() + "}",
      R"({"config":{"Env":["A=\u0000"]},)" + rootfs() + "}",
      R"({"config":{"User":{}},)" + rootfs() + "}",
      R"({"config":{"Labels":{"a":1}},)" + rootfs() + "}",
      R"({"os":"linux","os":"windows",)" + rootfs() + "}",
      "{\"os\":\"\xff\xfe\"," + rootfs() + "}",
      "{" + rootfs() + std::string(json_bytes_max, ' ') + "}",
  };
  for (const std::string& text : table) {
    auto config = parse_config(text);
    EXPECT_FALSE(config.has_value()) << text.substr(0, 100);
    if (config) continue;
    EXPECT_EQ(config.error().code, EBADMSG);
    EXPECT_NE(config.error().subject, nullptr);
  }
}

}  // namespace
}  // namespace lyr::image
