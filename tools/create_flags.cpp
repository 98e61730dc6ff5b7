// SPDX-License-Identifier: Apache-2.0
#include "tools/create_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/sys_file.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

constexpr size_t env_file_bytes_max = 16 << 20;
constexpr int64_t memory_bytes_min = 6 << 20;  // docker's: with less nothing starts
constexpr std::string_view ulimit_names =
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending "
    "stack";

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    size_t at = std::min(text.find(separator, from), text.size());
    parts.push_back(text.substr(from, at - from));
    from = at + 1;
  }
  return parts;
}

Result<engine::VolumeMount> parse_volume(const std::string& text) {
  auto parts = split(text, ':');
  engine::VolumeMount volume;
  auto wrong = [&](const char* why) {
    return fail_saying(EINVAL, "invalid volume '" + text + "': " + why + " (HOST:CONTAINER[:ro])");
  };
  if (parts.size() > 3 || parts.empty()) return wrong("too many parts");
  if (parts.size() == 1) {
    volume.destination = parts[0];
  } else {
    volume.source = parts[0];
    volume.destination = parts[1];
    if (volume.source.empty()) return wrong("an empty source");
  }
  if (parts.size() == 3) {
    auto modes = split(parts[2], ',');
    if (std::ranges::count(modes, "ro") + std::ranges::count(modes, "rw") > 1)
      return wrong("ro and rw, or one of them twice");
    for (const std::string& mode : modes) {
      // z, Z: labels of SELinux, which is not here; docker takes them silently too.
      if (mode == "ro")
        volume.read_only = true;
      else if (mode != "rw" && mode != "z" && mode != "Z")
        return wrong("an unknown mode");
    }
  }
  if (!volume.destination.starts_with('/'))
    return wrong("the path in the container is not absolute");
  // As docker: ./x and ../x are paths, a bare word is a volume's name.
  if (volume.source.starts_with('.')) {
    std::string here = TRY(sys::working_directory());
    volume.source = here + "/" + volume.source;
  }
  return volume;
}

Result<sandbox::Rlimit> parse_ulimit(const std::string& text) {
  size_t equals = text.find('=');
  auto wrong = [&] {
    return fail_saying(EINVAL, "invalid ulimit '" + text + "' (nofile=1024[:2048])");
  };
  if (equals == std::string::npos) return wrong();
  sandbox::Rlimit limit;
  limit.type = "RLIMIT_";
  auto names = split(std::string(ulimit_names), ' ');
  if (std::ranges::find(names, text.substr(0, equals)) == names.end()) {
    return fail_saying(
        EINVAL, "invalid ulimit '" + text + "': its name is none of " + std::string(ulimit_names));
  }
  for (char c : text.substr(0, equals)) limit.type += static_cast<char>(::toupper(c));
  auto values = split(text.substr(equals + 1), ':');
  if (values.size() > 2) return wrong();
  auto number = [&](const std::string& value) -> Result<uint64_t> {
    if (value == "-1" || value == "unlimited") return UINT64_MAX;
    uint64_t parsed = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size()) return wrong();
    return parsed;
  };
  limit.soft = TRY(number(values[0]));
  limit.hard = values.size() == 2 ? TRY(number(values[1])) : limit.soft;
  if (limit.soft > limit.hard) return wrong();
  return limit;
}

Result<sandbox::Resources> parse_resources(const CreateFlags& flags) {
  sandbox::Resources resources;
  if (!flags.memory.empty()) {
    int64_t bytes = TRY(parse_size(flags.memory));
    if (bytes != 0 && bytes < memory_bytes_min)
      return fail_saying(EINVAL,
                         "invalid --memory '" + flags.memory + "' (6m or more; 0: no limit)");
    if (bytes != 0) resources.memory_bytes = bytes;
  }
  if (!flags.cpus.empty()) {
    const std::string& text = flags.cpus;
    double count = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    bool number = error == std::errc() && end == text.data() + text.size();
    if (!number || (count != 0 && !(count >= 0.01)) || count > 4096)
      return fail_saying(EINVAL, "invalid --cpus '" + text + "' (0.01 or more; 0: no limit)");
    if (count != 0) {
      resources.cpu_quota_us = std::llround(count * static_cast<double>(resources.cpu_period_us));
    }
  }
  if (flags.pids_limit > 0) resources.pids = flags.pids_limit;
  return resources;
}

Result<> parse_security(const std::vector<std::string>& words, engine::CreateOptions& options) {
  for (const std::string& word : words) {
    if (word == "no-new-privileges" || word == "no-new-privileges=true" ||
        word == "no-new-privileges:true") {
      options.no_new_privileges = true;
    } else if (word == "seccomp=unconfined" || word == "seccomp:unconfined") {
      options.seccomp_unconfined = true;
    } else {
      return fail_saying(EINVAL,
                         "--security-opt " + word +
                             " is not built yet (no-new-privileges and seccomp=unconfined are)");
    }
  }
  return {};
}

}  // namespace

Result<> check_names(const std::vector<std::string>& assignments, const char* what) {
  for (const std::string& assignment : assignments) {
    if (assignment.empty() || assignment.starts_with('=')) {
      return fail_saying(EINVAL, std::string("invalid ") + what + " '" + assignment +
                                     "': it has no name (NAME=VALUE)");
    }
  }
  return {};
}

Result<std::vector<std::string>> read_env_file(const std::string& path) {
  auto text = TRY(about(sys::read_file_at(sys::cwd(), path.c_str(), env_file_bytes_max), path));
  std::vector<std::string> env;
  size_t number = 0;
  for (std::string line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    size_t from = line.find_first_not_of(" \t");
    if (from == std::string::npos || line[from] == '#') continue;
    line = line.substr(from);
    std::string name = line.substr(0, line.find('='));
    if (name.empty() || name.find_first_of(" \t") != std::string::npos) {
      return fail_saying(
          EINVAL, path + ":" + std::to_string(number) + ": '" + name + "' is no variable name");
    }
    env.push_back(line);
  }
  return env;
}

void CreateFlags::define(CLI::App& app) {
  app.set_help_flag();
  app.add_flag("-i,--interactive", interactive, "Keep standard input open");
  app.add_flag("-t,--tty", terminal, "Give it a terminal");
  app.add_flag("--rm", auto_remove, "Remove the container when it ends");
  app.add_option("--name", name, "Name it")->type_name("NAME");
  app.add_option("-e,--env", env, "Set a variable, or take it from here")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  app.add_option("--env-file", env_files, "Read variables from a file")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("-w,--workdir", working_dir, "Working directory in the container")
      ->type_name("DIR");
  app.add_option("-u,--user", user, "User and group")->type_name("NAME|UID[:GROUP|GID]");
  entrypoint_option =
      app.add_option("--entrypoint", entrypoint, "Replace the image's entrypoint; \"\" clears it")
          ->type_name("PROGRAM");
  app.add_option("-h,--hostname", hostname, "Its host name")->type_name("NAME");
  app.add_option("-v,--volume", volumes, "Mount a host path or a named volume")
      ->type_name("SOURCE:DIR[:ro]")
      ->allow_extra_args(false);
  app.add_option("--tmpfs", tmpfs, "Mount a tmpfs")
      ->type_name("DIR[:OPTIONS]")
      ->allow_extra_args(false);
  app.add_flag("--read-only", read_only, "Mount its root read-only");
  app.add_option("--network,--net", network, "none (loopback only) or host")->type_name("MODE");
  app.add_option("-p,--publish", publish, "Not built yet")
      ->type_name("PORTS")
      ->allow_extra_args(false);
  app.add_option("--cap-add", cap_add, "Add a capability, or ALL")
      ->type_name("CAP")
      ->allow_extra_args(false);
  app.add_option("--cap-drop", cap_drop, "Drop a capability, or ALL")
      ->type_name("CAP")
      ->allow_extra_args(false);
  app.add_option("-m,--memory", memory, "Memory limit: 64m, 1g")->type_name("BYTES");
  app.add_option("--cpus", cpus, "CPUs it may use: 1.5")->type_name("NUMBER");
  app.add_option("--pids-limit", pids_limit, "Processes it may have; -1: any number")
      ->type_name("NUMBER");
  app.add_option("--ulimit", ulimits, "A resource limit: nofile=1024:2048")
      ->type_name("NAME=SOFT[:HARD]")
      ->allow_extra_args(false);
  app.add_flag("--init", init, "Run a small init as pid 1 that reaps and forwards signals");
  app.add_option("-l,--label", labels, "Attach a label")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  app.add_option("--stop-signal", stop_signal, "The signal that stops it")->type_name("SIGNAL");
  app.add_option("--stop-timeout", stop_timeout, "Seconds from that to SIGKILL")
      ->type_name("SECONDS");
  app.add_option("--security-opt", security, "no-new-privileges, seccomp=unconfined")
      ->type_name("OPTION")
      ->allow_extra_args(false);
  app.add_option("--union", union_mode,
                 "Its file system: fuse, passthrough, io_uring, hybrid (overlayfs), or auto")
      ->envname("LYR_UNION")
      ->type_name("MODE");
  app.add_option("--cidfile", cid_file, "Write its id to a new file")->type_name("FILE");
}

Result<engine::UnionMode> parse_union_mode(const std::string& name) {
  auto mode = engine::union_mode_of(name);
  if (mode) return *mode;
  return fail_saying(EINVAL, "--union is fuse, passthrough, io_uring, hybrid or auto, not " + name);
}

Result<engine::CreateOptions> CreateFlags::options(const std::vector<std::string>& rest) const {
  engine::CreateOptions options;
  options.name = name;
  options.command.assign(rest.begin(), rest.end());
  if (entrypoint_option->count() > 0) {
    options.entrypoint = entrypoint.empty() ? std::vector<std::string>{} : std::vector{entrypoint};
  }
  for (const std::string& file : env_files) {
    auto lines = TRY(read_env_file(file));
    options.env.insert(options.env.end(), lines.begin(), lines.end());
  }
  TRY(check_names(env, "variable"));
  options.env.insert(options.env.end(), env.begin(), env.end());
  if (!working_dir.empty()) options.working_dir = working_dir;
  if (!user.empty()) options.user = user;
  options.hostname = hostname;
  for (const std::string& text : volumes) {
    auto volume = TRY(parse_volume(text));
    options.volumes.push_back(std::move(volume));
  }
  for (const std::string& text : tmpfs) {
    size_t colon = text.find(':');
    options.tmpfs.push_back(
        {text.substr(0, colon), colon == std::string::npos ? "" : text.substr(colon + 1)});
  }
  options.read_only = read_only;
  if (network == "host") options.network = engine::NetworkMode::host;
  if ((network != "host" && network != "none") || !publish.empty()) {
    return fail_saying(
        ENOTSUP,
        "networks other than none and host are not built yet (--network host has the host's)");
  }
  options.union_mode = TRY(parse_union_mode(union_mode));
  options.cap_add = cap_add;
  options.cap_drop = cap_drop;
  options.resources = TRY(parse_resources(*this));
  for (const std::string& text : ulimits) {
    auto limit = TRY(parse_ulimit(text));
    options.rlimits.push_back(std::move(limit));
  }
  options.init = init;
  TRY(check_names(labels, "label"));
  for (const std::string& label : labels) {
    size_t equals = label.find('=');
    options.labels[label.substr(0, equals)] =
        equals == std::string::npos ? "" : label.substr(equals + 1);
  }
  options.interactive = interactive;
  options.terminal = terminal;
  options.auto_remove = auto_remove;
  if (!stop_signal.empty()) options.stop_signal = stop_signal;
  if (stop_timeout >= 0) options.stop_timeout_seconds = stop_timeout;
  TRY(parse_security(security, options));
  return options;
}

}  // namespace lyr::tools
