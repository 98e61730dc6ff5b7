// SPDX-License-Identifier: Apache-2.0
// A container's records: what is written is read, and what is damaged is refused, never guessed.
#include "engine/record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/engine/scratch.h"

namespace lyr::engine {
namespace {

using Json = nlohmann::json;

ContainerInfo sample() {
  ContainerInfo info;
  info.id = std::string(64, 'a');
  info.name = "web";
  info.image_name = "busybox:latest";
  info.image_id = Digest::of("image");
  info.command = {"sh", "-c", "echo \"\\ \n\t\x01 \xc3\xa9\""};
  info.created_unix_ns = 1767323045123456789;
  info.warnings = {"limits are not there"};
  CreateOptions& options = info.options;
  options.command = {"-c"};
  options.entrypoint = std::vector<std::string>{"sh"};
  options.env = {"A=1", "B="};
  options.working_dir = "/srv";
  options.user = "1:2";
  options.hostname = "host";
  options.volumes = {{.source = "/from", .destination = "/to", .read_only = true},
                     {.source = "named", .destination = "/named", .read_only = false}};
  options.tmpfs = {{.destination = "/tmp", .options = "size=1m"}};
  options.read_only = true;
  options.network = NetworkMode::host;
  options.cap_add = {"NET_ADMIN"};
  options.cap_drop = {"ALL"};
  options.resources = {.memory_bytes = int64_t{1} << 40,
                       .pids = -1,
                       .cpu_quota_us = 50000,
                       .cpu_period_us = 200000,
                       .cpu_shares = 512};
  options.rlimits = {{.type = "RLIMIT_NOFILE", .soft = 1024, .hard = UINT64_MAX}};
  options.init = true;
  options.labels = {{"key", "value"}, {"empty", ""}};
  options.interactive = options.terminal = options.auto_remove = true;
  options.stop_signal = "SIGINT";
  options.stop_timeout_seconds = -1;
  options.no_new_privileges = options.seccomp_unconfined = true;
  return info;
}

// All that a record keeps, as the record's own text.
std::string text_of(const ContainerInfo& info) {
  Scratch scratch;
  EXPECT_TRUE(write_container(scratch.directory(), info));
  return scratch.read("container.json");
}

TEST(Record, AContainerComesBackWhole) {
  Scratch scratch;
  ContainerInfo written = sample();
  ASSERT_TRUE(write_container(scratch.directory(), written));
  ContainerInfo read = read_container(scratch.directory()).value();
  EXPECT_EQ(text_of(read), text_of(written));
  EXPECT_EQ(read.image_id, written.image_id);
  EXPECT_EQ(read.command, written.command);
  EXPECT_EQ(read.options.rlimits[0].hard, UINT64_MAX);
  EXPECT_EQ(read.options.volumes[0].read_only, true);
  EXPECT_EQ(read.options.resources.pids, -1);
  EXPECT_EQ(read.options.stop_timeout_seconds, -1);
  EXPECT_EQ(read.options.network, NetworkMode::host);
}

TEST(Record, WhatWasNotSaidStaysUnsaid) {
  Scratch scratch;
  ContainerInfo bare;
  bare.id = std::string(64, 'b');
  ASSERT_TRUE(write_container(scratch.directory(), bare));
  ContainerInfo read = read_container(scratch.directory()).value();
  EXPECT_FALSE(read.options.entrypoint);
  EXPECT_FALSE(read.options.user);
  EXPECT_FALSE(read.options.resources.memory_bytes);
  EXPECT_FALSE(read.options.stop_timeout_seconds);
  EXPECT_TRUE(read.options.volumes.empty());
  EXPECT_EQ(text_of(read), text_of(bare));
}

TEST(Record, EndAndRunComeBack) {
  Scratch scratch;
  EXPECT_FALSE(read_exit(scratch.directory()).value());
  EXPECT_FALSE(read_run(scratch.directory()).value());
  ExitRecord end{.exit_code = -7,
                 .started_unix_ns = 1,
                 .finished_unix_ns = INT64_MAX,
                 .dead = true,
                 .error = "why"};
  ASSERT_TRUE(write_exit(scratch.directory(), end));
  ExitRecord ended = read_exit(scratch.directory()).value().value();
  EXPECT_EQ(ended.exit_code, -7);
  EXPECT_EQ(ended.finished_unix_ns, INT64_MAX);
  EXPECT_TRUE(ended.dead);
  EXPECT_EQ(ended.error, "why");
  RunRecord run{.supervisor = {.pid = 1, .start_ticks = UINT64_MAX, .boot_id = "boot"},
                .container = {.pid = 2, .start_ticks = 3, .boot_id = "boot"},
                .started_unix_ns = 4};
  ASSERT_TRUE(write_run(scratch.directory(), run));
  RunRecord runs = read_run(scratch.directory()).value().value();
  EXPECT_EQ(runs.supervisor.start_ticks, UINT64_MAX);
  EXPECT_EQ(runs.container.pid, 2);
  EXPECT_EQ(runs.container.boot_id, "boot");
  EXPECT_EQ(runs.started_unix_ns, 4);
}

TEST(Record, BytesThatAreNoTextAreReplacedNotLost) {
  Scratch scratch;
  ContainerInfo info = sample();
  info.command = {"a\xff"};
  ASSERT_TRUE(write_container(scratch.directory(), info));
  EXPECT_EQ(read_container(scratch.directory()).value().command[0], "a\xef\xbf\xbd");
}

void expect_damaged(const Scratch& scratch, const std::string& text, const std::string& what) {
  for (const char* name : {"container.json", "exit.json", "state.json"}) scratch.write(name, text);
  auto container = read_container(scratch.directory());
  auto end = read_exit(scratch.directory());
  auto run = read_run(scratch.directory());
  ASSERT_TRUE(!container && !end && !run) << what;
  EXPECT_EQ(container.error().code, EUCLEAN) << what;
  EXPECT_EQ(end.error().code, EUCLEAN) << what;
  EXPECT_EQ(run.error().code, EUCLEAN) << what;
  EXPECT_NE(describe(container.error()).find("container.json"), std::string::npos);
}

TEST(Record, WhatIsNoRecordIsRefused) {
  Scratch scratch;
  for (const char* text :
       {"{", "[]", "null", "7", "\"version\"", "{}", "{\"version\":\"1\"}", "{\"version\":null}",
        "{\"version\":2}", "{\"version\":1}", "{\"version\":1.5}", "{\"version\":1}trailing"}) {
    expect_damaged(scratch, text, text);
  }
  expect_damaged(scratch, std::string(4096, '\0'), "zeros, as a power cut leaves");
}

TEST(Record, OneThatAPowerCutEmptiedWasNeverWritten) {
  Scratch scratch;
  for (const char* name : {"container.json", "exit.json", "state.json"}) scratch.write(name, "");
  auto container = read_container(scratch.directory());
  ASSERT_FALSE(container);
  EXPECT_EQ(container.error().code, ENOENT);
  EXPECT_FALSE(read_exit(scratch.directory()).value());
  EXPECT_FALSE(read_run(scratch.directory()).value());
}

TEST(Record, WhatIsMadeDurableStaysAsItWas) {
  Scratch scratch;
  auto missing = make_container_durable(scratch.directory());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  ASSERT_TRUE(write_container(scratch.directory(), sample()));
  ASSERT_TRUE(make_container_durable(scratch.directory()));
  EXPECT_EQ(scratch.read("container.json"), text_of(sample()));
}

TEST(Record, ARecordCutAnywhereIsRefused) {
  Scratch scratch;
  std::string text = text_of(sample());
  for (size_t bytes = 0; bytes < text.size(); bytes += 7) {
    scratch.write("container.json", text.substr(0, bytes));
    ASSERT_FALSE(read_container(scratch.directory())) << bytes;
  }
}

TEST(Record, AFieldThatIsMissingOrOfAnotherKindIsRefused) {
  Scratch scratch;
  const Json whole = Json::parse(text_of(sample()));
  auto refused = [&](const Json& json) {
    scratch.write("container.json", json.dump());
    return !read_container(scratch.directory());
  };
  ASSERT_FALSE(refused(whole));
  const std::vector<std::string> optional{"/options/entrypoint",  "/options/working_dir",
                                          "/options/user",        "/options/volumes",
                                          "/options/tmpfs",       "/options/rlimits",
                                          "/options/stop_signal", "/options/stop_timeout_seconds"};
  for (const char* part : {"", "/options"}) {
    for (const auto& [key, value] : whole[Json::json_pointer(part)].items()) {
      std::string path = std::string(part) + "/" + key;
      Json other = whole;
      other[Json::json_pointer(path)] = value.is_number() ? Json("text") : Json(7.5);
      EXPECT_TRUE(refused(other)) << path << " of another kind";
      other = whole;
      other[Json::json_pointer(part)].erase(key);
      bool needed = std::ranges::find(optional, path) == optional.end();
      EXPECT_EQ(refused(other), needed) << path << " missing";
    }
  }
}

TEST(Record, AnImageIdThatIsNoDigestIsRefused) {
  Scratch scratch;
  Json json = Json::parse(text_of(sample()));
  json["image_id"] = "sha256:../../etc/passwd";
  scratch.write("container.json", json.dump());
  EXPECT_FALSE(read_container(scratch.directory()));
}

}  // namespace
}  // namespace lyr::engine
