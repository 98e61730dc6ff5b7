// SPDX-License-Identifier: Apache-2.0
#include "engine/names.h"

#include <sys/file.h>

#include <algorithm>
#include <array>

#include "base/sys_file.h"
#include "base/sys_random.h"
#include "engine/reconcile.h"

namespace lyr::engine {
namespace {

constexpr size_t container_name_bytes_max = 128;
constexpr int made_up_tries_max = 64;

constexpr std::array adjectives{
    "amber",  "ample", "brave",  "brisk", "calm",  "clear", "crisp", "eager",  "fair",  "fleet",
    "gentle", "glad",  "golden", "green", "hardy", "keen",  "kind",  "lively", "lucid", "merry",
    "mild",   "neat",  "noble",  "plain", "proud", "quick", "quiet", "ready",  "sharp", "snug",
    "spry",   "sunny", "swift",  "tidy",  "vivid", "warm",  "wise",  "witty",  "young", "zesty"};
constexpr std::array nouns{
    "aspen",   "badger", "beech", "birch", "bison",  "cedar",  "comet",  "crane", "delta",  "dune",
    "falcon",  "fern",   "finch", "fjord", "gecko",  "grove",  "harbor", "heron", "ibis",   "inlet",
    "juniper", "kite",   "lark",  "lotus", "maple",  "meadow", "otter",  "pine",  "plover", "quail",
    "reef",    "river",  "robin", "sable", "spruce", "tern",   "thrush", "tide",  "willow", "wren"};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Takes a name away whose container is not there: whoever claimed it was killed before the record
// was written, or while it was removed. One at a time, lest what another has just claimed goes.
Result<> drop_orphan(const Engine::State& engine, const std::string& name) {
  Fd names = TRY(sys::open_at(engine.names, ".", O_RDONLY | O_DIRECTORY));
  TRY(sys::flock(names, LOCK_EX));
  auto holder = TRY(id_of_name(engine, name));
  if (!holder) return {};
  // What a killed command left half made goes now; one being made is locked, and stays.
  static_cast<void>(inspect_container(engine, *holder));
  bool there = TRY(sys::exists_at(engine.containers, holder->c_str()));
  auto gone = there ? Result<>() : sys::unlink_at(names, name.c_str());
  return gone || gone.error().code != ENOENT ? std::move(gone) : Result<>();
}

}  // namespace

Result<> check_name(std::string_view name) {
  auto allowed = [](char c) { return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-'; };
  if (!name.empty() && name.size() <= container_name_bytes_max &&
      is_letter_or_digit(name.front()) && std::ranges::all_of(name, allowed)) {
    return {};
  }
  return fail_saying(
      EINVAL, "container name '" + std::string(name.substr(0, 200)) +
                  "' is not valid: only [a-zA-Z0-9][a-zA-Z0-9_.-]* is, up to 128 characters");
}

Result<std::string> make_id() {
  constexpr char digits[] = "0123456789abcdef";
  std::string id;
  while (id.size() < 64) {
    uint64_t number = TRY(sys::random_u64());
    for (int i = 0; i < 16; ++i, number >>= 4) id += digits[number & 15];
  }
  return id;
}

Result<> claim_name(const Engine::State& engine, const std::string& name, const std::string& id) {
  auto claimed = sys::symlink_at(id.c_str(), engine.names, name.c_str());
  if (claimed || claimed.error().code != EEXIST) return about(std::move(claimed), name);
  TRY(drop_orphan(engine, name));
  claimed = sys::symlink_at(id.c_str(), engine.names, name.c_str());
  if (claimed || claimed.error().code != EEXIST) return about(std::move(claimed), name);
  auto holder = TRY(id_of_name(engine, name));
  return fail_saying(EEXIST, "the name " + name + " is used by container " +
                                 holder.value_or("?").substr(0, 12) + "; remove that (lyr rm " +
                                 name + ") or take another name");
}

Result<std::string> claim_made_up_name(const Engine::State& engine, const std::string& id) {
  for (int i = 0; i < made_up_tries_max; ++i) {
    uint64_t number = TRY(sys::random_u64());
    std::string name = adjectives[number % adjectives.size()];
    number /= adjectives.size();
    name += "_" + std::string(nouns[number % nouns.size()]);
    if (i > 4) name += std::to_string(number % 100000);  // many containers: names run out
    auto claimed = sys::symlink_at(id.c_str(), engine.names, name.c_str());
    if (claimed) return name;
    if (claimed.error().code != EEXIST) return std::unexpected(std::move(claimed).error());
  }
  return fail(EEXIST, "container name");
}

Result<> release_name(const Engine::State& engine, const std::string& name, const std::string& id) {
  auto holder = TRY(id_of_name(engine, name));
  if (!holder || *holder != id) return {};
  return sys::unlink_at(engine.names, name.c_str());
}

Result<> release_names_of(const Engine::State& engine, const std::string& id) {
  std::vector<std::string> names;
  TRY(sys::read_directory(engine.names, [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) TRY(release_name(engine, name, id));
  return {};
}

Result<std::optional<std::string>> id_of_name(const Engine::State& engine,
                                              const std::string& name) {
  auto target = sys::readlink_at(engine.names, name.c_str());
  if (target) return std::move(*target);
  int code = target.error().code;
  if (code == ENOENT || code == EINVAL || code == ENAMETOOLONG) return std::nullopt;
  return std::unexpected(std::move(target).error());
}

}  // namespace lyr::engine
