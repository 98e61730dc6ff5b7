// SPDX-License-Identifier: Apache-2.0
// Containers, images in use and volumes as people name them. No daemon: state is files under two
// roots plus what /proc and pidfds say; every call first puts right what a killed process left.
// Per-container locks only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "engine/tree_copy.h"
#include "image/config.h"
#include "image/save.h"
#include "sandbox/spec.h"
#include "store/store.h"
#include "unionfs/changes.h"

namespace lyr::engine {

struct Roots {
  std::string root;      // store, containers, volumes
  std::string run_root;  // what a reboot may lose
};
// $LYR_ROOT, $LYR_RUN_ROOT, else by user: /var/lib/lyr and /run/lyr, or XDG's.
Result<Roots> default_roots();

struct VolumeMount {
  std::string source;       // host path or volume name; empty: a volume of its own (anonymous)
  std::string destination;  // absolute
  bool read_only = false;
};

struct TmpfsMount {
  std::string destination;
  std::string options;  // "size=64m,mode=1777"
};

enum class NetworkMode { none, host };

// What a container's file system is made by: lyr's server alone; the same, but the kernel reads and
// writes changed files itself; the first again, asked by io_uring; the kernel's overlayfs over the
// image, which a server shows; or the best of the first and the last that this host allows.
enum class UnionMode { automatic, fuse, passthrough, io_uring, hybrid };
std::string_view union_mode_name(UnionMode mode);  // "auto", "fuse", "passthrough", ...
std::optional<UnionMode> union_mode_of(std::string_view name);

// What `run` and `create` take beside the image; unset optionals leave the image's default.
struct CreateOptions {
  std::string name;  // empty: made up
  std::vector<std::string> command;
  std::optional<std::vector<std::string>> entrypoint;  // an empty list clears the image's
  std::vector<std::string> env;  // "NAME=value", or "NAME" to take the caller's
  std::optional<std::string> working_dir;
  std::optional<std::string> user;  // "name", "uid", "name:group", "uid:gid"
  std::string hostname;
  std::vector<VolumeMount> volumes;
  std::vector<TmpfsMount> tmpfs;
  bool read_only = false;
  NetworkMode network = NetworkMode::none;
  std::vector<std::string> cap_add;  // with or without "CAP_", or "ALL"
  std::vector<std::string> cap_drop;
  sandbox::Resources resources;
  std::vector<sandbox::Rlimit> rlimits;
  bool init = false;
  std::map<std::string, std::string> labels;
  bool interactive = false;  // keeps standard input open
  bool terminal = false;
  bool auto_remove = false;
  std::optional<std::string> stop_signal;
  std::optional<int> stop_timeout_seconds;
  bool no_new_privileges = false;
  bool seccomp_unconfined = false;
  UnionMode union_mode = UnionMode::automatic;
};

enum class Status {
  created,
  running,
  exited,
  dead
};  // dead: its supervisor was killed before it could tell the end
std::string_view status_name(Status status);

struct ContainerInfo {
  std::string id;  // 64 hex digits
  std::string name;
  std::string image_name;  // as it was asked for
  Digest image_id;
  std::vector<std::string> command;  // entrypoint and cmd as run
  int64_t created_unix_ns = 0;
  Status status = Status::created;
  int64_t started_unix_ns = 0;   // 0: never
  int64_t finished_unix_ns = 0;  // 0: never
  int exit_code = 0;
  std::string error;  // why the last start failed, for a person
  pid_t pid = 0;      // of the first process; 0 unless running
  pid_t supervisor_pid = 0;
  CreateOptions options;  // resolved: with the image's defaults filled in
  std::vector<std::string> warnings;
};

struct AttachOptions {
  bool input = false;  // forward our standard input
  bool output = true;
  bool terminal = false;  // put our terminal in raw mode, forward its size
  bool forward_signals = true;
  std::string detach_keys = "ctrl-p,ctrl-q";
};

struct LogOptions {
  bool follow = false;
  int64_t tail_lines = -1;  // -1: all
  int64_t since_unix_ns = 0;
  int64_t until_unix_ns = 0;  // 0: no end
  bool timestamps = false;
};
struct LogLine {
  bool standard_error = false;
  int64_t time_unix_ns = 0;
  std::string_view text;  // with its newline, if it had one
};

struct ExecOptions {
  std::vector<std::string> command;
  std::vector<std::string> env;
  std::optional<std::string> user;
  std::optional<std::string> working_dir;
  bool interactive = false;
  bool terminal = false;
  bool detach = false;
  std::string detach_keys = "ctrl-p,ctrl-q";
};

// The end of a foreground command, in docker's numbers: the child's code, 128 + signal, 125, 126 or
// 127. `message` is for standard error when lyr itself has something to say. `detached`: the person
// left with the detach keys.
struct Outcome {
  int exit_code = 0;
  bool detached = false;
  bool failed_to_start = false;  // nothing of the container ran: exit_code is 125, 126 or 127
  std::string message;
};

// How much of one kind there is: all, what is in use, and what would come back of the rest.
struct KindUsage {
  size_t total = 0;
  size_t active = 0;
  uint64_t bytes = 0;  // on disk
  uint64_t reclaimable_bytes = 0;
};

struct DiskUsage {
  KindUsage images;      // active: a container is made from it; the bytes are the whole store's
  KindUsage containers;  // active: it runs
  KindUsage volumes;     // active: a container has it
};

struct CommitOptions {
  std::string name;  // as people write it; empty: the image gets none
  std::string author;
  std::string message;
  std::vector<std::string> changes;  // instructions, see image/instruction.h
  bool pause = true;                 // a running container stands still meanwhile, if it can
};

struct Committed {
  Digest id;
  std::vector<std::string> warnings;  // what is not as was asked for
};

struct PruneOptions {
  bool containers = true;                 // that do not run
  bool images = true;                     // that no container is made from and that have no name
  bool all_images = false;                // those that have one, too
  bool volumes = false;                   // without a name of their own, that no container has
  int64_t created_before_ns = INT64_MAX;  // containers and images; in ns since 1970
};

struct PruneReport {
  std::vector<std::string> containers;  // ids
  std::vector<std::string> images;      // "untagged: x", "deleted: sha256:…"
  std::vector<std::string> volumes;
  uint64_t reclaimed_bytes = 0;
};

class Engine {
 public:
  static Result<Engine> open(Roots roots);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const Roots& roots() const;
  // Opened when first asked for. Valid as long as the engine.
  Result<store::Store*> store();

  // Images by name, id or unique id prefix; ENOENT says what to do.
  Result<store::ImageRecord> find_image(std::string_view reference);
  // What people mean who save these, by docker's rules: a name is that image under that name, a
  // repository without a tag all images it has, and an id an image without a name. In the order
  // given, each image once.
  Result<std::vector<image::ImageToSave>> images_to_save(std::span<const std::string> references);
  // EBUSY names the containers that use it, unless `force`. Returns what was done: "Untagged: x",
  // "Deleted: sha256:…".
  Result<std::vector<std::string>> remove_image(std::string_view reference, bool force);

  // Containers by name, id or unique id prefix. ENOENT: no such container; EINVAL: prefix not
  // unique.
  Result<std::vector<ContainerInfo>> containers();
  Result<ContainerInfo> find(std::string_view name_or_id);

  // A container of the image. It outlives a power cut once it was started, or with make_durable().
  Result<ContainerInfo> create(std::string_view image, const CreateOptions& options);
  Result<> make_durable(const ContainerInfo& info);
  // Starts it and returns when it runs (or failed to); attaches from its first byte when `attach`
  // is given.
  Result<Outcome> start(std::string_view name_or_id, const std::optional<AttachOptions>& attach);
  Result<Outcome> attach(std::string_view name_or_id, const AttachOptions& options);
  // The stop signal, then SIGKILL after the time-out. Stopped already is success.
  Result<> stop(std::string_view name_or_id, std::optional<int> timeout_seconds);
  Result<> kill(std::string_view name_or_id, int signal);
  Result<int> wait(std::string_view name_or_id);
  // EBUSY when it runs and `force` is false. `volumes`: its anonymous volumes go too.
  Result<> remove(std::string_view name_or_id, bool force, bool volumes);
  Result<Outcome> exec(std::string_view name_or_id, const ExecOptions& options);

  Result<> logs(std::string_view name_or_id, const LogOptions& options,
                const std::function<bool(const LogLine&)>& each);
  // Tar streams out of and into a container, running or not, by docker cp's rules
  // (engine/tree_copy.h has them). ENODATA: nothing came in; who made the stream says why.
  Result<> copy_from(std::string_view name_or_id, const std::string& path, bool follow_link,
                     Fd tar);
  Result<> copy_to(std::string_view name_or_id, const std::string& path, Fd tar,
                   const UnpackOptions& options);
  Result<std::vector<unionfs::Change>> diff(std::string_view name_or_id);
  // An image of the container's image and what diff() lists, durable when this returns. A name
  // that another image has is taken from it.
  Result<Committed> commit(std::string_view name_or_id, const CommitOptions& options);
  Result<DiskUsage> disk_usage();
  Result<PruneReport> prune(const PruneOptions& options);
  // Things a person should know about this host: how ids are mapped, cgroups, /dev/fuse, each "key:
  // value".
  Result<std::vector<std::pair<std::string, std::string>>> host_facts(
      UnionMode asked = UnionMode::automatic);

  struct State;

 private:
  explicit Engine(std::unique_ptr<State> state);
  Result<> prune_containers(const PruneOptions& options, PruneReport& report);
  Result<> prune_images(const PruneOptions& options, PruneReport& report);
  Result<> prune_volumes(PruneReport& report);
  std::unique_ptr<State> state_;
};

}  // namespace lyr::engine
