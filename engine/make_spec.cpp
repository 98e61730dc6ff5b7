// SPDX-License-Identifier: Apache-2.0
#include "engine/make_spec.h"

#include <algorithm>

#include "base/sys_file.h"
#include "engine/resolve_options.h"
#include "engine/volumes.h"

namespace lyr::engine {
namespace {

constexpr size_t resolv_conf_bytes_max = 1 << 20;

std::vector<std::string> split_options(const std::string& text) {
  std::vector<std::string> options;
  for (size_t from = 0; from < text.size();) {
    size_t comma = std::min(text.find(',', from), text.size());
    if (comma > from) options.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return options;
}

std::vector<std::string> process_environment(const ContainerInfo& info, const ResolvedUser& user,
                                             bool terminal) {
  std::vector<std::string> env = info.options.env;
  auto has = [&](std::string_view name) {
    return std::ranges::any_of(env, [&](const std::string& assignment) {
      return assignment.starts_with(name) && assignment.size() > name.size() &&
             assignment[name.size()] == '=';
    });
  };
  if (!has("HOSTNAME")) env.push_back("HOSTNAME=" + info.options.hostname);
  if (terminal && !has("TERM")) env.emplace_back("TERM=xterm");
  if (!has("HOME")) env.push_back("HOME=" + user.home);
  return env;
}

sandbox::Mount bind(std::string source, std::string destination, bool read_only) {
  sandbox::Mount mount;
  mount.type = "bind";
  mount.source = std::move(source);
  mount.destination = std::move(destination);
  mount.options = {"rbind", read_only ? "ro" : "rw"};
  return mount;
}

void add_mounts(const Engine::State& engine, const ContainerInfo& info, sandbox::Spec& spec) {
  std::string etc = engine.roots.root + "/containers/" + info.id + "/etc/";
  auto ours = static_cast<ptrdiff_t>(spec.mounts.size());
  for (const char* file : {"resolv.conf", "hostname", "hosts"}) {
    bool read_only = info.options.read_only;
    spec.mounts.push_back(bind(etc + file, std::string("/etc/") + file, read_only));
  }
  for (const TmpfsMount& tmpfs : info.options.tmpfs) {
    sandbox::Mount mount;
    mount.type = "tmpfs";
    mount.source = "tmpfs";
    mount.destination = tmpfs.destination;
    mount.options = {"nosuid", "nodev", "noexec"};  // docker's defaults, before what was asked
    for (std::string& option : split_options(tmpfs.options)) {
      mount.options.push_back(std::move(option));
    }
    spec.mounts.push_back(std::move(mount));
  }
  for (const VolumeMount& volume : info.options.volumes) {
    spec.mounts.push_back(bind(volume_path(engine, volume), volume.destination, volume.read_only));
  }
  // Parents before what is mounted below them.
  auto depth = [](const sandbox::Mount& mount) {
    return std::ranges::count(mount.destination, '/');
  };
  std::ranges::stable_sort(spec.mounts.begin() + ours, spec.mounts.end(), {}, depth);
}

}  // namespace

Result<> write_network_files(const ContainerDirectory& directory, const ContainerInfo& info) {
  auto made = sys::mkdir_at(directory.persistent, "etc", 0755);
  if (!made && made.error().code != EEXIST) return made;
  const std::string& name = info.options.hostname;
  std::string hosts =
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n127.0.1.1\t" +
      name + "\n";
  std::string resolv_conf;
  if (info.options.network == NetworkMode::host) {
    auto text = sys::read_file_at(sys::cwd(), "/etc/resolv.conf", resolv_conf_bytes_max);
    if (text) resolv_conf = std::move(*text);
    auto host_hosts = sys::read_file_at(sys::cwd(), "/etc/hosts", resolv_conf_bytes_max);
    if (host_hosts) hosts = std::move(*host_hosts);
  }
  auto write = [&](const char* file, const std::string& text) {
    return sys::replace_file_at(directory.persistent, file, text, 0644);
  };
  TRY(write("etc/hosts", hosts));
  TRY(write("etc/hostname", name + "\n"));
  return write("etc/resolv.conf", resolv_conf);
}

Result<sandbox::Spec> make_spec(const Engine::State& engine, const ContainerInfo& info,
                                const ResolvedUser& user, const sandbox::IdMap& map) {
  const CreateOptions& options = info.options;
  sandbox::Spec spec = sandbox::default_spec();
  spec.id = info.id;
  spec.root_kind = sandbox::RootKind::fuse;
  spec.root_read_only = options.read_only;
  spec.hostname = options.hostname;
  spec.new_network = options.network == NetworkMode::none;
  spec.id_map = map;
  spec.resources = options.resources;
  spec.init = options.init;
  if (options.seccomp_unconfined) spec.seccomp = sandbox::SeccompProfile::unconfined;
  spec.process.args = info.command;
  spec.process.env = process_environment(info, user, options.terminal);
  spec.process.cwd = options.working_dir.value_or("/");
  spec.process.user = user.user;
  spec.process.terminal = options.terminal;
  spec.process.capabilities = TRY(capabilities_of(options.cap_add, options.cap_drop));
  spec.process.rlimits = options.rlimits;
  spec.process.no_new_privileges = options.no_new_privileges;
  add_mounts(engine, info, spec);
  return spec;
}

Result<sandbox::Process> make_exec_process(const ContainerInfo& info, const ExecOptions& options,
                                           const Accounts& accounts) {
  auto user = TRY(resolve_user(options.user.value_or(info.options.user.value_or("")), accounts));
  sandbox::Process process;
  process.args = options.command;
  process.env = process_environment(info, user, options.terminal);
  for (const std::string& assignment : options.env) {
    if (assignment.find('=') != std::string::npos) {
      set_variable(process.env, assignment);
    } else if (const char* value = ::getenv(assignment.c_str())) {
      set_variable(process.env, assignment + "=" + value);
    }
  }
  process.cwd = options.working_dir.value_or(info.options.working_dir.value_or("/"));
  process.user = user.user;
  process.terminal = options.terminal;
  process.capabilities = TRY(capabilities_of(info.options.cap_add, info.options.cap_drop));
  process.rlimits = info.options.rlimits;
  process.no_new_privileges = info.options.no_new_privileges;
  return process;
}

}  // namespace lyr::engine
