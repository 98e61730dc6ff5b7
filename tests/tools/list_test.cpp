// SPDX-License-Identifier: Apache-2.0
// What ps and images print, to the byte, over an engine of known containers and images.
#include <gtest/gtest.h>

#include "base/sys_event.h"
#include "engine/record.h"
#include "tests/engine/scratch.h"
#include "tools/parse.h"

namespace lyr::tools {
namespace {

constexpr int64_t hour_ns = int64_t{3600} * 1000000000;
constexpr int64_t hour_s = 3600;

class List : public testing::Test {
 protected:
  List() : context_({scratch_.path() + "/root", scratch_.path() + "/run"}) {}

  void container(char id, const std::string& name, int64_t age_ns, std::vector<std::string> command,
                 std::optional<engine::ExitRecord> end) {
    engine::ContainerInfo info;
    info.id = std::string(64, id);
    info.name = name;
    info.image_name = "busybox";
    info.image_id = Digest::of("image");
    info.command = std::move(command);
    info.created_unix_ns = now_ns_ - age_ns;
    info.options.labels = {{"kind", name}};
    Fd directory = scratch_.open("root/containers/" + info.id);
    EXPECT_TRUE(engine::write_container(directory, info));
    EXPECT_TRUE(!end || engine::write_exit(directory, *end));
  }
  void containers() {
    container('a', "first", 50 * hour_ns, {"sh", "-c", "echo a long command"},
              engine::ExitRecord{.exit_code = 3, .finished_unix_ns = now_ns_ - 2 * hour_ns});
    container('b', "second_one_of_them", 3 * hour_ns, {"true"}, std::nullopt);
  }
  // An image without layers, `age_s` old; 0: of no known time.
  std::string image(const std::string& config, int64_t age_s,
                    const std::vector<std::string>& tags) {
    store::ImageRecord record;
    record.config_json = config;
    record.id = Digest::of(config);
    if (age_s > 0) record.created_unix = now_ns_ / 1000000000 - age_s;
    std::vector<store::Tag> named;
    for (const std::string& tag : tags) named.push_back({tag, record.id});
    auto* store = context_.engine().value()->store().value();
    auto import = store->begin_import().value();
    auto done = import.commit(std::span(&record, 1), named);
    EXPECT_TRUE(done) << describe(done.error());
    return record.id.hex().substr(0, 12);
  }
  std::string lyr(const char* name, const std::vector<std::string>& args) {
    const Command* command = find_command(name);
    auto action = command->make();
    CLI::App app;
    action->define(app);
    auto parsed = parse(*command, app, *action, args);
    if (!parsed) return describe(parsed.error());
    testing::internal::CaptureStdout();
    auto code = action->run(context_);
    std::string text = testing::internal::GetCapturedStdout();
    return code ? text : describe(code.error());
  }

  engine::Scratch scratch_;
  int64_t now_ns_ = sys::now_unix_ns();
  Context context_;
};

TEST_F(List, NothingIsOnlyTheHeadings) {
  EXPECT_EQ(lyr("ps", {}),
            "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n");
  EXPECT_EQ(lyr("images", {}), "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
  EXPECT_EQ(lyr("ps", {"-q"}), "");
  EXPECT_EQ(lyr("images", {"-q"}), "");
  EXPECT_EQ(lyr("ps", {"--format", "json"}), "");
}

TEST_F(List, ContainersNewestFirst) {
  containers();
  EXPECT_EQ(lyr("ps", {}), lyr("ps", {"--filter", "name=nobody"})) << "none runs";
  EXPECT_EQ(
      lyr("ps", {"-a"}),
      "CONTAINER ID   IMAGE     COMMAND                  CREATED       STATUS"
      "                   PORTS     NAMES\n"
      "bbbbbbbbbbbb   busybox   \"true\"                   3 hours ago   Created"
      "                            second_one_of_them\n"
      "aaaaaaaaaaaa   busybox   \"sh -c 'echo a long …\"   2 days ago    Exited (3) 2 hours ago"
      "             first\n");
  EXPECT_EQ(lyr("ps", {"-aq"}), "bbbbbbbbbbbb\naaaaaaaaaaaa\n");
  EXPECT_EQ(lyr("ps", {"-aq", "--no-trunc"}),
            std::string(64, 'b') + "\n" + std::string(64, 'a') + "\n");
}

TEST_F(List, ContainersAsAsked) {
  containers();
  EXPECT_EQ(lyr("ps", {"-a", "--format", "{{.Names}}: {{.State}} {{.Labels}}"}),
            "second_one_of_them: created kind=second_one_of_them\nfirst: exited kind=first\n");
  EXPECT_EQ(lyr("ps", {"-a", "--format", "table {{.ID}}\\t{{.Command}}\\t{{.Status}}"}),
            "CONTAINER ID   COMMAND                  STATUS\n"
            "bbbbbbbbbbbb   \"true\"                   Created\n"
            "aaaaaaaaaaaa   \"sh -c 'echo a long …\"   Exited (3) 2 hours ago\n");
  EXPECT_EQ(lyr("ps", {"--filter", "exited=3", "-q"}), "aaaaaaaaaaaa\n");
  EXPECT_EQ(lyr("ps", {"-l", "-q"}), "bbbbbbbbbbbb\n");
  EXPECT_EQ(lyr("ps", {"-a", "-f", "label=kind=first", "--format", "{{.ID}}"}), "aaaaaaaaaaaa\n");
}

TEST_F(List, Images) {
  std::string newer = image("{\"newer\":1}", 3 * hour_s, {"docker.io/library/busybox:latest"});
  std::string older =
      image("{\"older\":1}", 0, {"lyr.test/team/tool:v1.2", "lyr.test/team/tool:v2"});
  EXPECT_EQ(lyr("images", {}),
            "REPOSITORY           TAG       IMAGE ID       CREATED       SIZE\n"
            "busybox              latest    " +
                newer +
                "   3 hours ago   0B\n"
                "lyr.test/team/tool   v1.2      " +
                older +
                "   N/A           0B\n"
                "lyr.test/team/tool   v2        " +
                older + "   N/A           0B\n");
  EXPECT_EQ(
      lyr("images", {"lyr.test/team/tool:v2", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"}),
      "lyr.test/team/tool:v2 0B\n");
  EXPECT_EQ(lyr("images", {"--format", "table {{.ID}}\\t{{.CreatedSince}}"}),
            "IMAGE ID       CREATED\n" + newer + "   3 hours ago\n" + older + "   N/A\n" + older +
                "   N/A\n");
}

}  // namespace
}  // namespace lyr::tools
