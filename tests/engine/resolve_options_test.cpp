// SPDX-License-Identifier: Apache-2.0
// What an image says and what a person asked for, merged as docker does.
#include "engine/resolve_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "base/sys_process.h"

namespace lyr::engine {
namespace {

using Strings = std::vector<std::string>;

const std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

image::Config sample() {
  image::Config config;
  config.entrypoint = {"/entry", "-x"};
  config.cmd = {"serve"};
  config.env = {"A=image", "B=image"};
  config.user = "web";
  config.working_dir = "/srv";
  config.stop_signal = "SIGQUIT";
  config.volumes = {"/data"};
  config.labels = {{"from", "image"}, {"both", "image"}};
  return config;
}

ContainerInfo resolved(const image::Config& config, const CreateOptions& asked) {
  ContainerInfo info;
  info.id = std::string(64, 'a');
  auto done = resolve_options(config, asked, info);
  EXPECT_TRUE(done) << describe(done.error());
  return info;
}
std::string refused(const image::Config& config, const CreateOptions& asked) {
  ContainerInfo info;
  info.id = std::string(64, 'a');
  auto done = resolve_options(config, asked, info);
  if (done) return "taken";
  EXPECT_EQ(done.error().code, EINVAL);
  return describe(done.error());
}

TEST(ResolveOptions, TheImagesCommandIsTheDefault) {
  ContainerInfo info = resolved(sample(), {});
  EXPECT_EQ(info.command, (Strings{"/entry", "-x", "serve"}));
  EXPECT_EQ(info.options.entrypoint, (Strings{"/entry", "-x"}));
  EXPECT_EQ(info.options.command, Strings{"serve"});
}

TEST(ResolveOptions, ACommandReplacesTheImagesAndKeepsItsEntrypoint) {
  EXPECT_EQ(resolved(sample(), {.command = {"a", "b"}}).command,
            (Strings{"/entry", "-x", "a", "b"}));
}

TEST(ResolveOptions, AnEntrypointClearsTheImagesCommand) {
  EXPECT_EQ(resolved(sample(), {.entrypoint = Strings{"/mine"}}).command, Strings{"/mine"});
  EXPECT_EQ(resolved(sample(), {.command = {"a"}, .entrypoint = Strings{"/mine"}}).command,
            (Strings{"/mine", "a"}));
  // --entrypoint ""
  for (const Strings& none : {Strings{}, Strings{""}}) {
    EXPECT_EQ(resolved(sample(), {.command = {"a"}, .entrypoint = none}).command, Strings{"a"});
    EXPECT_NE(refused(sample(), {.entrypoint = none}).find("no command"), std::string::npos);
  }
}

TEST(ResolveOptions, NoCommandAtAllIsRefused) {
  EXPECT_NE(refused({}, {}).find("no command"), std::string::npos);
  // A program without a name is asked for, and not found when it is run.
  EXPECT_EQ(resolved({}, {.command = {""}}).command, Strings{""});
}

TEST(ResolveOptions, VariablesReplaceThoseOfTheImage) {
  EXPECT_EQ(resolved(sample(), {}).options.env, (Strings{path, "A=image", "B=image"}));
  EXPECT_EQ(resolved(sample(), {.env = {"B=mine", "C=1", "C=2", "D="}}).options.env,
            (Strings{path, "A=image", "B=mine", "C=2", "D="}));
  image::Config config = sample();
  config.env.emplace_back("PATH=/only");
  EXPECT_EQ(resolved(config, {}).options.env, (Strings{"A=image", "B=image", "PATH=/only"}));
}

TEST(ResolveOptions, ABareVariableIsTheCallers) {
  ASSERT_EQ(::setenv("LYR_TEST_SET", "of=caller", 1), 0);
  ASSERT_EQ(::unsetenv("B"), 0);
  EXPECT_EQ(resolved(sample(), {.env = {"LYR_TEST_SET"}}).options.env,
            (Strings{path, "A=image", "B=image", "LYR_TEST_SET=of=caller"}));
  EXPECT_EQ(resolved(sample(), {.env = {"B"}}).options.env, (Strings{path, "A=image"}))
      << "one that the caller lacks is taken away";
}

TEST(ResolveOptions, UserAndDirectoryAreTheImagesUnlessAsked) {
  ContainerInfo info = resolved(sample(), {});
  EXPECT_EQ(info.options.user, "web");
  EXPECT_EQ(info.options.working_dir, "/srv");
  info = resolved(sample(), {.working_dir = "/mine", .user = "0:0"});
  EXPECT_EQ(info.options.user, "0:0");
  EXPECT_EQ(info.options.working_dir, "/mine");
  EXPECT_EQ(resolved(sample(), {.working_dir = "/a/../b//c/."}).options.working_dir, "/b/c");
  EXPECT_EQ(resolved(sample(), {.working_dir = "/.."}).options.working_dir, "/");
  image::Config bare;
  bare.cmd = {"x"};
  EXPECT_EQ(resolved(bare, {}).options.working_dir, "/");
  EXPECT_NE(refused(sample(), {.working_dir = "mine"}).find("absolute"), std::string::npos);
}

TEST(ResolveOptions, AnImagesVolumeIsAnonymousUnlessItsPlaceIsTaken) {
  ContainerInfo info = resolved(sample(), {});
  ASSERT_EQ(info.options.volumes.size(), 1U);
  EXPECT_EQ(info.options.volumes[0].source, "");
  EXPECT_EQ(info.options.volumes[0].destination, "/data");
  for (const char* place : {"/data", "/data/", "//data/.", "/x/../data"}) {
    info = resolved(sample(), {.volumes = {{.source = "mine", .destination = place}}});
    ASSERT_EQ(info.options.volumes.size(), 1U) << place;
    EXPECT_EQ(info.options.volumes[0].source, "mine") << place;
    EXPECT_EQ(info.options.volumes[0].destination, "/data") << place;
    info = resolved(sample(), {.tmpfs = {{.destination = place}}});
    EXPECT_TRUE(info.options.volumes.empty()) << place;
  }
}

TEST(ResolveOptions, AMountNeedsAPlaceOfItsOwn) {
  for (const char* wrong : {"data", "", "/", "//", "/.."}) {
    EXPECT_NE(refused(sample(), {.volumes = {{.source = "v", .destination = wrong}}}), "taken")
        << wrong;
    EXPECT_NE(refused(sample(), {.tmpfs = {{.destination = wrong}}}), "taken") << wrong;
  }
  CreateOptions twice{
      .volumes = {{.source = "a", .destination = "/v"}, {.source = "b", .destination = "/v/"}}};
  EXPECT_NE(refused(sample(), twice).find("/v"), std::string::npos);
  CreateOptions both{.volumes = {{.source = "a", .destination = "/v"}},
                     .tmpfs = {{.destination = "/v"}}};
  EXPECT_NE(refused(sample(), both).find("/v"), std::string::npos);
}

TEST(ResolveOptions, LabelsAreAddedToTheImages) {
  ContainerInfo info = resolved(sample(), {.labels = {{"both", "mine"}, {"new", "mine"}}});
  const std::map<std::string, std::string> merged{
      {"from", "image"}, {"both", "mine"}, {"new", "mine"}};
  EXPECT_EQ(info.options.labels, merged);
}

TEST(ResolveOptions, TheStopSignalIsTheImagesUnlessAsked) {
  EXPECT_EQ(resolved(sample(), {}).options.stop_signal, "SIGQUIT");
  EXPECT_EQ(resolved(sample(), {.stop_signal = "INT"}).options.stop_signal, "INT");
  image::Config plain;
  plain.cmd = {"x"};
  EXPECT_EQ(resolved(plain, {}).options.stop_signal, "SIGTERM");
  EXPECT_NE(refused(sample(), {.stop_signal = "SIGNOT"}).find("SIGNOT"), std::string::npos);
}

TEST(ResolveOptions, TheHostNameIsTheIdUnlessAsked) {
  EXPECT_EQ(resolved(sample(), {}).options.hostname, std::string(12, 'a'));
  EXPECT_EQ(resolved(sample(), {.hostname = "web"}).options.hostname, "web");
  EXPECT_NE(refused(sample(), {.hostname = std::string(64, 'h')}), "taken");
}

TEST(ResolveOptions, TheHostsNetworkBringsTheHostsName) {
  ContainerInfo info = resolved(sample(), {.network = NetworkMode::host});
  EXPECT_EQ(info.options.hostname, sys::hostname().value());
  info = resolved(sample(), {.hostname = "web", .network = NetworkMode::host});
  EXPECT_EQ(info.options.hostname, "web");
}

TEST(ParseSignal, NamesAndNumbers) {
  for (const char* text : {"SIGTERM", "TERM", "term", "sigterm", "15"}) {
    EXPECT_EQ(parse_signal(text).value(), SIGTERM) << text;
  }
  EXPECT_EQ(parse_signal("RTMIN").value(), SIGRTMIN);
  EXPECT_EQ(parse_signal("SIGRTMIN+3").value(), SIGRTMIN + 3);
  EXPECT_EQ(parse_signal("RTMAX-2").value(), SIGRTMAX - 2);
  EXPECT_EQ(parse_signal("RTMAX").value(), SIGRTMAX);
  for (const char* wrong : {"", "SIG", "0", "-9", "65", "999999999999", "9x", "KILL ", "RTMIN3",
                            "RTMIN-1", "RTMIN+", "RTMIN+-2", "RTMIN+2x", "RTMAX+1", "RTMIN+99"}) {
    EXPECT_FALSE(parse_signal(wrong)) << wrong;
  }
}

TEST(CapabilitiesOf, AllFirstThenTheSingleOnes) {
  auto has = [](const Strings& set, const char* name) { return std::ranges::count(set, name); };
  Strings standard = capabilities_of({}, {}).value();
  EXPECT_EQ(standard.size(), 14U);
  EXPECT_EQ(capabilities_of({}, {"ALL"}).value(), Strings{});
  EXPECT_EQ(capabilities_of({"net_admin"}, {"all"}).value(), Strings{"CAP_NET_ADMIN"});
  EXPECT_EQ(capabilities_of({"CAP_CHOWN"}, {}).value(), standard) << "it is there already";
  Strings without = capabilities_of({"ALL"}, {"SYS_ADMIN"}).value();
  EXPECT_EQ(has(without, "CAP_SYS_ADMIN"), 0);
  EXPECT_EQ(has(without, "CAP_SYS_TIME"), 1);
  EXPECT_FALSE(capabilities_of({"NOT_ONE"}, {}));
  EXPECT_FALSE(capabilities_of({}, {"NOT_ONE"}));
}

}  // namespace
}  // namespace lyr::engine
