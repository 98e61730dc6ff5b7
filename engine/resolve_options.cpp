// SPDX-License-Identifier: Apache-2.0
#include "engine/resolve_options.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <tuple>

#include "base/sys_process.h"
#include "image/clean_path.h"
#include "sandbox/capabilities.h"

namespace lyr::engine {
namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

std::string_view variable_name(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

// So that equal places read alike.
Result<std::string> clean_destination(const std::string& path) {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos || path.size() >= PATH_MAX) {
    return fail_saying(EINVAL, "mount path '" + path + "' must be absolute in the container");
  }
  std::string place = image::clean_path(path);
  if (place.empty()) return fail_saying(EINVAL, "nothing can be mounted on /");
  return place;
}

Result<> merge_volumes(const image::Config& image, CreateOptions& options) {
  std::set<std::string> places;
  auto take = [&](std::string& destination) -> Result<> {
    destination = TRY(clean_destination(destination));
    if (places.insert(destination).second) return {};
    return fail_saying(EINVAL, "two mounts have the same place, " + destination);
  };
  for (VolumeMount& volume : options.volumes) TRY(take(volume.destination));
  for (TmpfsMount& tmpfs : options.tmpfs) TRY(take(tmpfs.destination));
  for (const std::string& path : image.volumes) {
    auto place = clean_destination(path);
    if (!place || !places.insert(*place).second) continue;
    options.volumes.push_back({.source = "", .destination = *place, .read_only = false});
  }
  return {};
}

std::vector<std::string> merge_environment(const image::Config& image, const CreateOptions& asked) {
  std::vector<std::string> env;
  for (const std::string& assignment : image.env) set_variable(env, assignment);
  if (!has_path(env)) env.insert(env.begin(), default_path);
  for (const std::string& assignment : asked.env) {
    if (assignment.find('=') != std::string::npos) {
      set_variable(env, assignment);
    } else if (const char* value = ::getenv(assignment.c_str())) {
      set_variable(env, assignment + "=" + value);
    } else {
      // The caller has none: then the container has none, whatever the image says.
      std::erase_if(env, [&](const std::string& one) { return variable_name(one) == assignment; });
    }
  }
  return env;
}

Result<> merge_command(const image::Config& image, const CreateOptions& asked,
                       ContainerInfo& info) {
  // An entrypoint of one's own clears the image's command (docker run --entrypoint).
  std::vector<std::string> entrypoint = asked.entrypoint.value_or(image.entrypoint);
  std::vector<std::string> command = asked.command;
  if (command.empty() && !asked.entrypoint) command = image.cmd;
  if (entrypoint.size() == 1 && entrypoint[0].empty()) entrypoint.clear();
  info.options.entrypoint = entrypoint;
  info.options.command = command;
  info.command = entrypoint;
  info.command.insert(info.command.end(), command.begin(), command.end());
  if (info.command.empty()) {
    return fail_saying(EINVAL, "no command: the image has none, so say one after its name");
  }
  return {};
}

}  // namespace

void set_variable(std::vector<std::string>& env, std::string assignment) {
  std::string_view name = variable_name(assignment);
  auto same = [&](const std::string& other) { return variable_name(other) == name; };
  auto found = std::ranges::find_if(env, same);
  if (found != env.end()) {
    *found = std::move(assignment);
  } else {
    env.push_back(std::move(assignment));
  }
}

Result<int> parse_signal(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (number >= 1 && number < NSIG) return number;
    return fail_saying(EINVAL, "invalid signal: " + std::string(text));
  }
  std::string name = upper(text);
  if (name.starts_with("SIG")) name = name.substr(3);
  for (int signal = 1; signal < SIGSYS + 1; ++signal) {
    const char* abbreviation = ::sigabbrev_np(signal);
    if (abbreviation != nullptr && name == abbreviation) return signal;
  }
  for (auto [prefix, base, sign] : {std::tuple{"RTMIN", SIGRTMIN, '+'}, {"RTMAX", SIGRTMAX, '-'}}) {
    if (!name.starts_with(prefix)) continue;
    std::string_view rest = std::string_view(name).substr(5);
    if (rest.empty()) return base;
    unsigned offset = 0;
    auto read = std::from_chars(rest.data() + 1, rest.data() + rest.size(), offset);
    bool whole = read.ec == std::errc() && read.ptr == rest.data() + rest.size();
    if (rest.front() != sign || !whole || offset > static_cast<unsigned>(SIGRTMAX - SIGRTMIN))
      break;
    return sign == '+' ? base + static_cast<int>(offset) : base - static_cast<int>(offset);
  }
  return fail_saying(EINVAL, "invalid signal: " + std::string(text));
}

Result<std::vector<std::string>> capabilities_of(const std::vector<std::string>& add,
                                                 const std::vector<std::string>& drop) {
  auto full_name = [](const std::string& text) {
    std::string name = upper(text);
    return name == "ALL" || name.starts_with("CAP_") ? name : "CAP_" + name;
  };
  auto check = [](const std::string& name) -> Result<> {
    if (name == "ALL" || std::ranges::count(sandbox::all_capabilities(), name) > 0) return {};
    return fail_saying(EINVAL, "invalid capability: " + name);
  };
  std::vector<std::string> set = sandbox::default_spec().process.capabilities;
  // As in docker: ALL first, then the single ones, whatever the order on the command line.
  for (const std::string& text : drop) {
    if (full_name(text) == "ALL") set.clear();
  }
  for (const std::string& text : add) {
    std::string name = full_name(text);
    TRY(check(name));
    if (name == "ALL") {
      set = sandbox::all_capabilities();
    } else if (std::ranges::find(set, name) == set.end()) {
      set.push_back(name);
    }
  }
  for (const std::string& text : drop) {
    std::string name = full_name(text);
    TRY(check(name));
    std::erase(set, name);
  }
  return set;
}

bool has_path(const std::vector<std::string>& env) {
  auto is_path = [](const std::string& assignment) { return assignment.starts_with("PATH="); };
  return std::ranges::any_of(env, is_path);
}

Result<> resolve_options(const image::Config& image, const CreateOptions& asked,
                         ContainerInfo& info) {
  info.options = asked;
  CreateOptions& options = info.options;
  TRY(merge_command(image, asked, info));
  options.env = merge_environment(image, asked);
  TRY(merge_volumes(image, options));
  if (!options.user) options.user = image.user;
  if (!options.working_dir) options.working_dir = image.working_dir;
  if (options.working_dir->empty()) options.working_dir = "/";
  if (!options.working_dir->starts_with('/')) {
    return fail_saying(EINVAL, "the working directory '" + *options.working_dir +
                                   "' is invalid, it needs to be an absolute path");
  }
  std::string directory = image::clean_path(*options.working_dir);
  options.working_dir = directory.empty() ? "/" : directory;
  if (!options.stop_signal) {
    options.stop_signal = image.stop_signal.empty() ? "SIGTERM" : image.stop_signal;
  }
  TRY(parse_signal(*options.stop_signal));
  TRY(capabilities_of(options.cap_add, options.cap_drop));
  for (const auto& [name, value] : image.labels) options.labels.emplace(name, value);
  // With the host's network goes the host's name, which its own /etc/hosts knows.
  if (options.hostname.empty() && options.network == NetworkMode::host)
    options.hostname = TRY(sys::hostname());
  if (options.hostname.empty()) options.hostname = info.id.substr(0, 12);
  if (options.hostname.size() > 63) {
    return fail_saying(EINVAL,
                       "the hostname '" + options.hostname + "' is longer than 63 characters");
  }
  return {};
}

}  // namespace lyr::engine
