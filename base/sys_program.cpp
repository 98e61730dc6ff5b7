// SPDX-License-Identifier: Apache-2.0
#include "base/sys_program.h"

#include <spawn.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

namespace lyr::sys {
namespace {

// Whether `variable` of our environment has the name of one of `others`.
bool is_replaced(std::string_view variable, const std::vector<std::string>& others) {
  std::string_view name = variable.substr(0, variable.find('='));
  for (std::string_view other : others) {
    if (other.substr(0, other.find('=')) == name) return true;
  }
  return false;
}

std::vector<char*> environment_with(const std::vector<std::string>& more) {
  std::vector<char*> list;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (!is_replaced(*variable, more)) list.push_back(*variable);
  }
  for (const std::string& variable : more) list.push_back(const_cast<char*>(variable.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<char*> arguments_of(const Program& program) {
  std::vector<char*> list{const_cast<char*>(program.name.c_str())};
  for (const std::string& text : program.arguments) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// What is to be so in the child before the program starts.
struct Preparations {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  Preparations() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  Preparations(const Preparations&) = delete;
  Preparations& operator=(const Preparations&) = delete;
  ~Preparations() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

Result<pid_t> start_program(const Program& program) {
  Preparations prepared;
  sigset_t none;
  sigemptyset(&none);
  int code = ::posix_spawnattr_setsigmask(&prepared.attributes, &none);
  if (code == 0) code = ::posix_spawnattr_setflags(&prepared.attributes, POSIX_SPAWN_SETSIGMASK);
  // Onto itself: it is not closed at the exec.
  if (code == 0 && program.kept != nullptr)
    code = ::posix_spawn_file_actions_adddup2(&prepared.files, program.kept->get(),
                                              program.kept->get());
  if (code == 0 && program.standard_error != nullptr)
    code = ::posix_spawn_file_actions_adddup2(&prepared.files, program.standard_error->get(),
                                              STDERR_FILENO);
  auto arguments = arguments_of(program);
  auto environment = environment_with(program.environment);
  pid_t pid = -1;
  if (code == 0)
    code = ::posix_spawnp(&pid, program.name.c_str(), &prepared.files, &prepared.attributes,
                          arguments.data(), environment.data());
  if (code != 0) return fail(code, "posix_spawn", program.name);
  return pid;
}

}  // namespace lyr::sys
