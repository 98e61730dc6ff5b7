// SPDX-License-Identifier: Apache-2.0
// One command of the lyr program: what it is called, what it takes, what it does.
// tools/commands.cpp lists them all; help, shell completion and the manual are made from the same
// list.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace lyr::tools {

// What a command may use. The engine is opened when first asked for.
class Context {
 public:
  explicit Context(engine::Roots roots) : roots_(std::move(roots)) {}
  Result<engine::Engine*> engine();

 private:
  engine::Roots roots_;
  std::optional<engine::Engine> engine_;
};

// A command on its way: define() names the options, run() does it and yields the exit code.
class Action {
 public:
  virtual ~Action() = default;
  virtual void define(CLI::App& app) = 0;
  virtual Result<int> run(Context& context) = 0;
  // What follows the first argument that is no option belongs to the container; only where
  // `takes_command`.
  std::vector<std::string> rest;
};

struct Command {
  const char* name;  // "run", or a group's name and a word: "store stats"
  const char* summary;
  const char* arguments;  // "[OPTIONS] IMAGE [COMMAND] [ARG...]"
  const char* examples;   // one a line
  std::unique_ptr<Action> (*make)();
  bool takes_command = false;  // options end at the first argument; the rest goes to Action::rest
  int failure_code = 1;        // docker's: 125 for run, create, start, exec
};

template <class Kind>
std::unique_ptr<Action> make_action() {
  return std::make_unique<Kind>();
}

// Says what is to be said of a container we were attached to; its exit code is ours.
int report(const char* command, const engine::Outcome& outcome);

// Commands of two words that share the first.
struct Group {
  const char* name;
  const char* summary;
};

// Both sorted by name.
std::span<const Command* const> all_commands();
std::span<const Group> all_groups();
const Command* find_command(std::string_view name);  // nullptr: no such command
const Group* find_group(std::string_view name);
const Group* group_of(const Command& command);  // nullptr: its name is one word
std::vector<const Command*> commands_of(const Group& group);
// What it is called within its group: its name's last word.
const char* last_word(const Command& command);
// The candidate most like `wrong`; empty when none is near.
std::string nearest(std::string_view wrong, const std::vector<std::string>& candidates);

}  // namespace lyr::tools
