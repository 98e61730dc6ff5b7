// SPDX-License-Identifier: Apache-2.0
// What the flags of run and create become in engine::CreateOptions.
#include "tools/create_flags.h"

#include <gtest/gtest.h>

#include <fstream>

namespace lyr::tools {
namespace {

using Words = std::vector<std::string>;

Result<engine::CreateOptions> options_of(Words args, const Words& rest = {}) {
  CLI::App app;
  CreateFlags flags;
  flags.define(app);
  std::ranges::reverse(args);
  app.parse(args);
  return flags.options(rest);
}

std::string said(Words args) {
  auto options = options_of(std::move(args));
  return options ? "" : describe(options.error());
}

TEST(CreateFlags, WhatIsNotAskedForIsLeftToTheImage) {
  auto options = options_of({}).value();
  EXPECT_FALSE(options.entrypoint);
  EXPECT_FALSE(options.working_dir);
  EXPECT_FALSE(options.user);
  EXPECT_FALSE(options.stop_signal);
  EXPECT_FALSE(options.resources.memory_bytes);
  EXPECT_EQ(options.network, engine::NetworkMode::none);
}

TEST(CreateFlags, EachFlagReachesItsOption) {
  auto options = options_of({"-i",
                             "-t",
                             "--rm",
                             "--init",
                             "--read-only",
                             "--name",
                             "web",
                             "-e",
                             "A=1",
                             "-e",
                             "B",
                             "-w",
                             "/src",
                             "-u",
                             "1:2",
                             "-h",
                             "box",
                             "-m",
                             "64m",
                             "--cpus",
                             "1.5",
                             "--pids-limit",
                             "9",
                             "--net",
                             "host",
                             "-l",
                             "k=v=w",
                             "-l",
                             "bare",
                             "--stop-signal",
                             "INT",
                             "--stop-timeout",
                             "3"},
                            {"ls", "-l"})
                     .value();
  EXPECT_TRUE(options.interactive && options.terminal && options.auto_remove && options.init);
  EXPECT_TRUE(options.read_only);
  EXPECT_EQ(options.name, "web");
  EXPECT_EQ(options.command, (Words{"ls", "-l"}));
  EXPECT_EQ(options.env, (Words{"A=1", "B"}));
  EXPECT_EQ(options.working_dir, "/src");
  EXPECT_EQ(options.user, "1:2");
  EXPECT_EQ(options.hostname, "box");
  EXPECT_EQ(options.resources.memory_bytes, 64 << 20);
  EXPECT_EQ(options.resources.cpu_quota_us, 150000);
  EXPECT_EQ(options.resources.pids, 9);
  EXPECT_EQ(options.network, engine::NetworkMode::host);
  EXPECT_EQ(options.labels.at("k"), "v=w");
  EXPECT_EQ(options.labels.at("bare"), "");
  EXPECT_EQ(options.stop_signal, "INT");
  EXPECT_EQ(options.stop_timeout_seconds, 3);
}

TEST(CreateFlags, AnEmptyEntrypointClearsTheImages) {
  EXPECT_TRUE(options_of({"--entrypoint", ""}).value().entrypoint->empty());
  EXPECT_EQ(options_of({"--entrypoint", "/bin/sh"}).value().entrypoint, Words{"/bin/sh"});
}

TEST(CreateFlags, VolumesAreHostPathsNamesOrNameless) {
  auto volumes =
      options_of({"-v", "/a:/b:ro", "-v", "data:/d", "-v", "/only", "--tmpfs", "/t:size=1m"})
          .value()
          .volumes;
  ASSERT_EQ(volumes.size(), 3U);
  EXPECT_EQ(volumes[0].source, "/a");
  EXPECT_TRUE(volumes[0].read_only);
  EXPECT_EQ(volumes[1].source, "data");
  EXPECT_FALSE(volumes[1].read_only);
  EXPECT_EQ(volumes[2].source, "");
  EXPECT_EQ(volumes[2].destination, "/only");
  for (const char* wrong :
       {"/a:b", "/a:/b:xx", ":/b", "/a:/b:ro:z", "/a:/b:ro,rw", "/a:/b:rw,rw"}) {
    EXPECT_NE(said({"-v", wrong}), "") << wrong;
  }
}

TEST(CreateFlags, LimitsAreChecked) {
  auto limits = options_of({"--ulimit", "nofile=10:20", "--ulimit", "core=0"}).value().rlimits;
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].type, "RLIMIT_NOFILE");
  EXPECT_EQ(limits[0].soft, 10U);
  EXPECT_EQ(limits[0].hard, 20U);
  EXPECT_EQ(limits[1].hard, 0U);
  for (const char* wrong :
       {"nofile", "nofile=", "nofile=3:2", "nofile=1:2:3", "nofile=x", "no=1"}) {
    EXPECT_NE(said({"--ulimit", wrong}), "") << wrong;
  }
  for (const char* wrong : {"0.001", "-1", "x", "1x", "nan"}) {
    EXPECT_NE(said({"--cpus", wrong}), "") << wrong;
  }
  for (const char* wrong : {"1", "5m", "x"}) EXPECT_NE(said({"--memory", wrong}), "") << wrong;
  auto unlimited = options_of({"--cpus", "0", "--memory", "0"}).value().resources;
  EXPECT_FALSE(unlimited.cpu_quota_us);
  EXPECT_EQ(unlimited.memory_bytes.value_or(0), 0);
}

TEST(CreateFlags, VariablesAndLabelsHaveNames) {
  for (const char* wrong : {"", "=", "=value"}) {
    EXPECT_NE(said({"-e", wrong}), "") << wrong;
    EXPECT_NE(said({"-l", wrong}), "") << wrong;
  }
}

TEST(CreateFlags, WhatIsNotBuiltSaysSo) {
  EXPECT_NE(said({"--network", "bridge"}).find("not built yet"), std::string::npos);
  EXPECT_NE(said({"-p", "80:80"}).find("not built yet"), std::string::npos);
  EXPECT_NE(said({"--security-opt", "label=x"}).find("not built yet"), std::string::npos);
}

TEST(EnvFile, LinesCommentsAndMistakes) {
  std::string path = testing::TempDir() + "/env";
  std::ofstream(path) << "A=1\n# no\n\n  B=two words\r\nHOME\n";
  EXPECT_EQ(read_env_file(path).value(), (Words{"A=1", "B=two words", "HOME"}));
  std::ofstream(path) << "A=1\nB C=2\n";
  auto wrong = read_env_file(path);
  ASSERT_FALSE(wrong);
  EXPECT_NE(describe(wrong.error()).find(path + ":2"), std::string::npos);
}

}  // namespace
}  // namespace lyr::tools
