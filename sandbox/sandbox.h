// SPDX-License-Identifier: Apache-2.0
// Starts a process in namespaces of its own, and joins further ones to it. Not thread-safe: the
// caller is a single-threaded process (clone and setns ask for that), the supervisor or `lyr exec`.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// What the process gets as descriptors 0, 1 and 2. With Process::terminal they are ignored: it gets
// a new pseudo-terminal of the container's own devpts, whose master is handed back.
struct Stdio {
  Fd in;
  Fd out;
  Fd err;
};

// Ids 0..65535 of the container by the caller's rights. Root: from /etc/subuid's range for root or,
// without one, a fixed high range that no account uses. Others: the caller's own id as 0, then its
// subuids through newuidmap and newgidmap; without those a single-id map. `why_single` tells why,
// for a person, when the map is single.
struct ChosenIdMap {
  IdMap map;
  std::string why_single;
};
Result<ChosenIdMap> choose_id_map(bool force_single);

// An image's file system for many containers: a FUSE file system that is mounted in a mount
// namespace of the calling process, where nobody else comes by. For RootKind::overlay.
class ImageMount {
 public:
  // The process leaves its mount namespace for one that has nothing of the host's mounts, and so
  // keeps none of them from being unmounted. Without privilege it goes into a user namespace with
  // `map`, too; all containers must be below that, since the kernel keeps others away from a FUSE
  // file system and from what overlayfs does on it. Nothing looks at the file system yet. Errors
  // say what to do.
  static Result<ImageMount> make(const IdMap& map);
  Fd take_device();  // valid once; whoever serves it must not be in our mount namespace
  const Fd& user_namespace() const { return user_namespace_; }  // empty: the caller's
  // A detached mount of it, for Launch::give_image().
  Result<Fd> copy() const;
  // Unmounts it. It is gone when its copies are.
  void drop();

 private:
  ImageMount(Fd device, Fd mount, Fd user_namespace)
      : device_(std::move(device)),
        mount_(std::move(mount)),
        user_namespace_(std::move(user_namespace)) {}
  Fd device_;
  Fd mount_;
  Fd user_namespace_;
};

// A container on its way: begin → (serve the FUSE device, or give the image) → finish → start.
class Launch {
 public:
  // Makes the child in all its namespaces, with its id maps and cgroup. For RootKind::fuse it
  // returns when the FUSE file system is mounted and its device is here; nothing has looked at it
  // yet. `above`: a user namespace that the child's is to be made in; it has spec.id_map. Empty:
  // ours. An Error's call is "image" when only the former cannot be had.
  static Result<Launch> begin(const Spec& spec, Stdio stdio, const Fd& above = Fd());
  Launch(Launch&&) noexcept;
  Launch& operator=(Launch&&) noexcept;
  ~Launch();  // kills what was not started

  pid_t pid() const;  // of the container's first process, in our pid namespace
  const Fd& pidfd() const;
  Fd take_fuse_device();  // valid once, for RootKind::fuse
  // What the overlay stands on, a detached mount. For RootKind::overlay, before finish().
  void give_image(Fd mount);
  // The container's user namespace, for a server that has to own files of every id in it. Valid
  // once.
  Fd take_user_namespace();
  // The container's pid namespace, by which the kernel numbers who asks its FUSE file system. Valid
  // once, for RootKind::fuse.
  Fd take_pid_namespace();
  Fd take_terminal();  // pty master, after finish(), with Process::terminal
  const std::vector<std::string>& warnings()
      const;  // what was asked and could not be given: limits, rlimits...

  // Waits until everything is set up and only the exec is left (the OCI state "created"). Errors
  // name the step; the call "overlay" says that only RootKind::overlay is what this host refuses.
  Result<> finish();
  // Lets it exec, and returns when it did. An Error's call is "exec" when only that failed: ENOENT
  // → 127, else 126.
  Result<> start();
  // Removes what cgroups it has, once it ended.
  Result<> remove_cgroup() const;

  struct State;

 private:
  explicit Launch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Runs one more process in the container whose first process is `container`. The caller is its
// parent and waits for it. `in_cgroups`: it is counted and frozen with the container's own.
struct Joined {
  pid_t pid = -1;
  Fd pidfd;
  Fd terminal;  // pty master, with Process::terminal
  std::vector<std::string> warnings;
};
Result<Joined> join(const Spec& spec, const Fd& container_pidfd, const Process& process,
                    Stdio stdio, bool in_cgroups = true);

// Runs `task` as id 0 of a user namespace with `map` (made for it, or joined when we already are
// one that can), and hands back its result. For work on upper directories that hold files of many
// ids. Runs it directly when root or map is single.
Result<> run_mapped(const IdMap& map, const std::function<Result<>()>& task);

// Kills every process of the container's cgroup and pid namespace, and removes its cgroup. Absent
// is success.
Result<> kill_all(const Spec& spec, const Fd& container_pidfd);
Result<> remove_cgroup(const Spec& spec);  // wherever it may be, for a launcher that was killed

// How limits can be set here, for `lyr info`: "v1", "v2", "hybrid" or "none (why)".
std::string describe_cgroups();

}  // namespace lyr::sandbox
