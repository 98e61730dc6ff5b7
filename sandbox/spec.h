// SPDX-License-Identifier: Apache-2.0
// What a container is: the part of the OCI runtime-spec (config.json) that lyr acts on, as plain
// structs. spec_json.h reads and writes the JSON form.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lyr::sandbox {

struct IdRange {
  uint32_t container = 0;
  uint32_t host = 0;  // as seen by the process that creates the container
  uint32_t count = 0;
};

struct IdMap {
  std::vector<IdRange> uids;
  std::vector<IdRange> gids;
  // Only one id is mapped and setgroups is denied: chown, mknod and set*id to other ids are
  // answered with success and do nothing (a seccomp rule), so that package managers run.
  bool single = false;
};

struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  uint64_t soft = 0;
  uint64_t hard = 0;
};

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> additional_gids;
};

struct Process {
  std::vector<std::string> args;
  // Our own work in the program's place: it has all of the program's restrictions and of our
  // descriptors only 0, 1 and 2; what it returns is the exit code.
  std::function<int()> body;
  std::vector<std::string> env;  // the whole environment; nothing of the host's is added
  std::string cwd = "/";
  User user;
  bool terminal = false;
  std::vector<std::string>
      capabilities;  // "CAP_CHOWN": bounding, effective and permitted set of a root process
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
  bool outlives_creator = false;  // else it is killed when the thread that made it ends
};

struct Mount {
  std::string destination;  // absolute, resolved in the container's root
  std::string type;         // "bind", "tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup"
  std::string source;       // a host path for "bind"
  std::vector<std::string>
      options;  // as in mount(8): "ro", "nosuid", "rbind", "size=64m", "mode=1777", "idmap", ...
};

struct Resources {
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> pids;
  std::optional<int64_t> cpu_quota_us;  // per cpu_period_us
  int64_t cpu_period_us = 100000;
  std::optional<int64_t> cpu_shares;
};

// `fuse`: a FUSE file system, whose device is handed to the creator to be served. `overlay`: the
// kernel's overlayfs, on such a file system.
enum class RootKind { directory, fuse, overlay };
enum class SeccompProfile { standard, unconfined };

struct Spec {
  std::string id;  // names the cgroup
  Process process;
  RootKind root_kind = RootKind::directory;
  // RootKind::directory: the root. RootKind::overlay: a directory that holds "upper" and "work".
  std::string root_path;
  bool durable_root = true;  // RootKind::overlay: false: nobody wants it after a power cut
  bool root_read_only = false;
  std::string hostname;
  std::vector<Mount>
      mounts;  // in order, after /proc, /dev and /sys, which the standard list below holds
  bool new_network = true;  // false: the host's (or the caller's) network namespace
  IdMap id_map;
  Resources resources;
  bool init = false;  // a small init reaps and forwards signals as pid 1
  SeccompProfile seccomp = SeccompProfile::standard;
  std::vector<std::string> masked_paths;
  std::vector<std::string> read_only_paths;
  std::map<std::string, std::string> sysctl;
  std::map<std::string, std::string> annotations;
};

// Docker's defaults: mounts for /proc, /dev, /dev/pts, /dev/shm, /dev/mqueue, /sys, /sys/fs/cgroup;
// masked and read-only paths; the 14 capabilities.
Spec default_spec();

}  // namespace lyr::sandbox
