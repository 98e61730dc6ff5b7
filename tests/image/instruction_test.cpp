// SPDX-License-Identifier: Apache-2.0
// What instructions make of a config, and what an image's config then says.
#include "image/instruction.h"

#include <gtest/gtest.h>

#include "image/child_config.h"
#include "image/json_text.h"
#include "image/shell_word.h"

namespace lyr::image {
namespace {

using Words = std::vector<std::string>;

ConfigChange after(const Words& instructions) {
  ConfigChange change;
  change.config.env = {"PATH=/bin", "EMPTY="};
  change.config.cmd = {"old"};
  for (const std::string& instruction : instructions) {
    auto done = apply_instruction(instruction, change);
    EXPECT_TRUE(done) << describe(done.error());
  }
  return change;
}

std::string refused(const std::string& instruction) {
  ConfigChange change;
  auto done = apply_instruction(instruction, change);
  return done ? "" : describe(done.error());
}

TEST(InstructionTest, CommandsAreListsOrForTheShell) {
  EXPECT_EQ(after({R"(CMD ["a", "b c"])"}).config.cmd, (Words{"a", "b c"}));
  EXPECT_EQ(after({"cmd  echo $A 'b'  "}).config.cmd, (Words{"/bin/sh", "-c", "echo $A 'b'"}));
  EXPECT_EQ(after({R"(CMD ["a", 1])"}).config.cmd, (Words{"/bin/sh", "-c", R"(["a", 1])"}));
  EXPECT_EQ(after({"CMD []"}).config.cmd, Words{});
}

TEST(InstructionTest, AnEntrypointClearsTheCommandThatWas) {
  EXPECT_EQ(after({R"(ENTRYPOINT ["e"])"}).config.cmd, Words{});
  EXPECT_EQ(after({R"(CMD ["c"])", R"(ENTRYPOINT ["e"])"}).config.cmd, Words{"c"});
  auto cleared = after({"ENTRYPOINT []"});
  EXPECT_EQ(cleared.config.entrypoint, Words{});
  EXPECT_EQ(cleared.config.cmd, Words{"old"});
}

TEST(InstructionTest, Variables) {
  EXPECT_EQ(after({R"(ENV A=1 B="two words" C=a\ b PATH=/opt:$PATH)"}).config.env,
            (Words{"PATH=/opt:/bin", "EMPTY=", "A=1", "B=two words", "C=a b"}));
  EXPECT_EQ(after({"ENV OLD  form of it"}).config.env.back(), "OLD=form of it");
  EXPECT_EQ(after({"ENV A=1", "ENV A=$A$A B=${A}"}).config.env,
            (Words{"PATH=/bin", "EMPTY=", "A=11", "B=1"}));
  EXPECT_EQ(after({R"(LABEL "com.example"="a b" x='$PATH')"}).config.labels,
            (std::map<std::string, std::string>{{"com.example", "a b"}, {"x", "$PATH"}}));
}

TEST(InstructionTest, AVariableWithoutAValueIsEmpty) {
  ConfigChange change;
  change.config.env = {"BARE"};
  ASSERT_TRUE(apply_instruction("ENV A=x$BARE", change));
  EXPECT_EQ(change.config.env, (Words{"BARE", "A=x"}));
}

TEST(InstructionTest, TheImageMayHaveAnotherShell) {
  ConfigChange change;
  change.config.shell = {"/bin/ash", "-ec"};
  ASSERT_TRUE(apply_instruction("CMD a b", change));
  EXPECT_EQ(change.config.cmd, (Words{"/bin/ash", "-ec", "a b"}));
}

TEST(InstructionTest, DirectoriesAreClean) {
  EXPECT_EQ(after({"WORKDIR /a/./b//c/../"}).config.working_dir, "/a/b");
  EXPECT_EQ(after({"WORKDIR /a/b", "WORKDIR ../c/"}).config.working_dir, "/a/c");
  EXPECT_EQ(after({"WORKDIR a"}).config.working_dir, "/a");
  EXPECT_EQ(after({"WORKDIR /a", "WORKDIR ../../.."}).config.working_dir, "/");
}

TEST(InstructionTest, TheRest) {
  auto change =
      after({"EXPOSE 80/TCP 53/udp 8000-8002", "VOLUME /b /a", R"(VOLUME ["/c d"])", "USER 7:8",
             "WORKDIR /w", "WORKDIR sub", "STOPSIGNAL SIGINT", "ONBUILD RUN make"});
  EXPECT_EQ(change.config.exposed_ports,
            (Words{"53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"}));
  EXPECT_EQ(change.config.volumes, (Words{"/a", "/b", "/c d"}));
  EXPECT_EQ(change.config.user, "7:8");
  EXPECT_EQ(change.config.working_dir, "/w/sub");
  EXPECT_EQ(change.config.stop_signal, "SIGINT");
  EXPECT_EQ(change.on_build, Words{"RUN make"});
}

TEST(InstructionTest, WhatIsWrongIsSaid) {
  for (const char* bad : {"",
                          "RUN make",
                          "FROM x",
                          "COPY a b",
                          "CMD",
                          "ENV A",
                          "ENV A=1 B",
                          "ENV =1",
                          "ENV A='",
                          "ENV A=${B",
                          "ENV A=${B?c}",
                          "EXPOSE 0",
                          "EXPOSE 70000",
                          "EXPOSE 80/icmp",
                          "EXPOSE 9-8",
                          "EXPOSE x",
                          R"(VOLUME [""])",
                          "ONBUILD ONBUILD RUN x",
                          "ONBUILD FROM x",
                          "USER a b"}) {
    EXPECT_NE(refused(bad).find("invalid change '" + std::string(bad) + "'"), std::string::npos)
        << bad << ": " << refused(bad);
  }
  EXPECT_NE(refused("RUN make").find("CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD"),
            std::string::npos);
}

TEST(InstructionTest, WordsAsTheShellHasThem) {
  Variables variables = [](std::string_view name) { return name == "A" ? "1" : ""; };
  const std::pair<const char*, const char*> table[] = {{"$A-${A}-$B-", "1-1--"},
                                                       {"${A:-x}${B:-y$A}", "1y1"},
                                                       {"${A:+x}${B:+y}", "x"},
                                                       {R"('$A' "$A" \$A)", "$A 1 $A"},
                                                       {R"("\"\\\a")", R"("\\a)"},
                                                       {"$", "$"},
                                                       {"$A1", ""},
                                                       {"a$ b", "a$ b"},
                                                       {"${B:-${A:-z}}", "1"}};
  for (auto [word, meant] : table) {
    auto text = expand_word(word, variables);
    ASSERT_TRUE(text) << word;
    EXPECT_EQ(*text, meant) << word;
  }
  EXPECT_EQ(split_words(R"( a  'b c' "d\" e" f\ g )"),
            (Words{"a", "'b c'", R"("d\" e")", R"(f\ g)"}));
}

const std::string layer = "sha256:" + std::string(64, '7');
const std::string parent = R"({"architecture":"arm64","variant":"v8","os":"linux","author":"p",
  "docker_version":"1","container":"x","config":{"Healthcheck":{"Test":["CMD","t"]},
  "OnBuild":["RUN x"],"Cmd":["old"],"Env":["A=1"],"User":"9"},
  "rootfs":{"type":"layers","diff_ids":[")" +
                           layer + R"("]},"history":[{"created_by":"first"}]})";

ChildImage child() {
  ChildImage image;
  image.change.config.cmd = {"new"};
  image.change.config.env = {"B=2"};
  image.change.config.exposed_ports = {"80/tcp"};
  image.layer = Digest::of("layer");
  image.created = "2026-01-02T03:04:05.000000006Z";
  image.created_by = "new";
  image.comment = "why";
  return image;
}

TEST(ChildConfigTest, HasALayerAndALineMore) {
  auto text = child_config(parent, child());
  ASSERT_TRUE(text) << describe(text.error());
  Json json = Json::parse(*text);
  EXPECT_EQ(json["rootfs"]["diff_ids"], (Json{layer, Digest::of("layer").text()}));
  EXPECT_EQ(json["history"].size(), 2u);
  EXPECT_EQ(json["history"][1], (Json{{"created", "2026-01-02T03:04:05.000000006Z"},
                                      {"created_by", "new"},
                                      {"comment", "why"}}));
  EXPECT_EQ(json["variant"], "v8");
  for (const char* gone : {"author", "docker_version", "container"})
    EXPECT_FALSE(json.contains(gone)) << gone;
  EXPECT_EQ(json["config"], (Json{{"Cmd", {"new"}},
                                  {"Env", {"B=2"}},
                                  {"ExposedPorts", {{"80/tcp", Json::object()}}},
                                  {"Healthcheck", {{"Test", {"CMD", "t"}}}}}));
}

TEST(ChildConfigTest, WithoutALayerThereIsOnlyTheLine) {
  ChildImage image = child();
  image.layer = std::nullopt;
  auto text = child_config(parent, image);
  ASSERT_TRUE(text);
  Json json = Json::parse(*text);
  EXPECT_EQ(json["rootfs"]["diff_ids"], Json{layer});
  EXPECT_EQ(json["history"][1]["empty_layer"], true);
}

TEST(ChildConfigTest, NoImageHasMoreLayersThanCanBeLoaded) {
  Json json = Json::parse(parent);
  for (size_t i = 1; i < image_layers_max; ++i) json["rootfs"]["diff_ids"].push_back(layer);
  auto text = child_config(json.dump(), child());
  ASSERT_FALSE(text);
  EXPECT_NE(describe(text.error()).find("layers already"), std::string::npos);
  ChildImage same = child();
  same.layer = std::nullopt;
  EXPECT_TRUE(child_config(json.dump(), same));
}

}  // namespace
}  // namespace lyr::image
