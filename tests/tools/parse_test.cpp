// SPDX-License-Identifier: Apache-2.0
// Where a container's own arguments begin, what a slip of the finger was meant to be, and docker's
// long forms.
#include "tools/parse.h"

#include <gtest/gtest.h>

namespace lyr::tools {
namespace {

using Words = std::vector<std::string>;

struct Parsed {
  std::unique_ptr<Action> action;
  Result<> outcome;
};

Parsed parsed(const char* name, Words args) {
  const Command* command = find_command(name);
  auto action = command->make();
  CLI::App app;
  action->define(app);
  auto outcome = parse(*command, app, *action, std::move(args));
  return {std::move(action), std::move(outcome)};
}

std::string said(const char* name, Words args) {
  auto result = parsed(name, std::move(args));
  return result.outcome ? "" : describe(result.outcome.error());
}

TEST(Parse, FlagsStopAtTheImage) {
  auto run = parsed("run", {"-it", "--rm", "-e", "A=1", "debian", "ls", "--rm", "-l"});
  ASSERT_TRUE(run.outcome) << describe(run.outcome.error());
  EXPECT_EQ(run.action->rest, (Words{"debian", "ls", "--rm", "-l"}));
  EXPECT_EQ(parsed("run", {"--name=x", "--", "debian", "-v"}).action->rest,
            (Words{"debian", "-v"}));
  EXPECT_EQ(parsed("run", {"-eA=1", "-v/a:/b", "debian"}).action->rest, Words{"debian"});
  EXPECT_EQ(parsed("exec", {"-ti", "web", "sh", "-c", "x"}).action->rest,
            (Words{"web", "sh", "-c", "x"}));
}

TEST(Parse, UnknownFlagsNameTheNearest) {
  EXPECT_EQ(said("run", {"--nmae", "x", "debian"}), "unknown flag --nmae; did you mean --name?");
  EXPECT_EQ(said("run", {"--entrypiont=x", "debian"}),
            "unknown flag --entrypiont; did you mean --entrypoint?");
  EXPECT_EQ(said("ps", {"--no-trunk"}), "unknown flag --no-trunk; did you mean --no-trunc?");
  EXPECT_EQ(said("run", {"--zzzzzzzz", "debian"}),
            "unknown flag --zzzzzzzz; lyr run --help lists them");
  EXPECT_NE(said("run", {"-Q", "debian"}), "");
  EXPECT_EQ(said("run", {"--name"}), "--name needs a value");
}

TEST(Parse, ShortFlagsTakeTrueOrFalse) {
  EXPECT_EQ(said("commit", {"-p=false", "web"}), "");
  EXPECT_EQ(said("commit", {"-p=true", "-m", "text", "web", "name"}), "");
  EXPECT_NE(said("commit", {"-p=maybe", "web"}), "");
}

TEST(Parse, WrongArgumentsAreErrors) {
  EXPECT_NE(said("stop", {}), "");
  EXPECT_NE(said("stop", {"-t", "soon", "web"}), "");
  EXPECT_NE(said("tag", {"a", "b", "c"}), "");
}

TEST(Nearest, OneSlipOrTwo) {
  Words names{"run", "rm", "rmi", "images", "inspect"};
  EXPECT_EQ(nearest("rnu", names), "run");
  EXPECT_EQ(nearest("imgaes", names), "images");
  EXPECT_EQ(nearest("inspct", names), "inspect");
  EXPECT_EQ(nearest("--mem", {"--memory-swap", "--memory", "--name"}), "--memory");
  EXPECT_EQ(nearest("frobnicate", names), "");
  EXPECT_EQ(nearest(std::string(100000, 'x'), names), "");
}

TEST(ShortForm, DockersGroups) {
  EXPECT_EQ(short_form({"image", "ls", "-q"}), (Words{"images", "-q"}));
  EXPECT_EQ(short_form({"image", "rm", "x"}), (Words{"rmi", "x"}));
  EXPECT_EQ(short_form({"image", "save", "-o", "f", "x"}), (Words{"save", "-o", "f", "x"}));
  EXPECT_EQ(short_form({"container", "ls"}), Words{"ps"});
  EXPECT_EQ(short_form({"container", "rm", "x"}), (Words{"rm", "x"}));
  EXPECT_EQ(short_form({"run", "image", "ls"}), (Words{"run", "image", "ls"}));
}

}  // namespace
}  // namespace lyr::tools
