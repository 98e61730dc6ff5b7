// SPDX-License-Identifier: Apache-2.0
// Runs programs in containers made of a directory, in the three ways lyr runs: as root, as a user
// with subuids, and as a user with one id. Rootless runs happen in a child that became "lyrtest".
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "sandbox/sandbox.h"

namespace lyr::sandbox::testing {

enum class Mode { root, rootless, single };
std::string mode_name(Mode mode);

// What a container (or a joined process) did.
struct Ran {
  int exit_code = -1;  // docker's numbers; -1: it never ran
  std::string out;     // standard output and error
  int error_code = 0;  // of begin, finish, start or join
  std::string error_call;
  std::string error;
  std::vector<std::string> warnings;
};

class SandboxTest : public ::testing::TestWithParam<Mode> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // A spec whose root is a fresh directory with busybox and the probe in /bin, for this mode.
  Spec spec();
  const std::string& root() const { return root_; }  // the container's root, as a host path
  const std::string& directory() const { return directory_; }  // ours, beside it

  // Runs `spec` to its end, `input` on its standard input.
  Ran run(const Spec& spec, const std::string& input = "");
  Ran shell(const std::string& script);
  Ran shell(Spec spec, const std::string& script);
  // Runs `body` as who starts containers in this mode, in a process of its own; its text is handed
  // back. A failure inside is a text that starts with "FAILED".
  std::string as_caller(const std::function<std::string()>& body);
  // The same with the container running; it is killed afterwards.
  std::string beside(const Spec& spec, const std::function<std::string(Launch&)>& body);

  static Ran run_here(const Spec& spec, const std::string& input);

 private:
  std::string directory_;
  std::string root_;
  IdMap map_;
};

// The outcome of a process joined to `launch`.
Ran run_joined(const Spec& spec, const Launch& launch, const Process& process);
std::string read_text(const std::string& path);
std::string trimmed(std::string text);

}  // namespace lyr::sandbox::testing

#define LYR_IN_EACH_MODE(suite)                                                         \
  INSTANTIATE_TEST_SUITE_P(Modes, suite,                                                \
                           ::testing::Values(Mode::root, Mode::rootless, Mode::single), \
                           [](const auto& each) { return mode_name(each.param); })
