// SPDX-License-Identifier: Apache-2.0
#include "sandbox/preparation.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "sandbox/channel.h"
#include "sandbox/id_map.h"
#include "sandbox/mount_options.h"

namespace lyr::sandbox {
namespace {

Result<> fill_stdio(Stdio& stdio) {
  for (Fd* fd : {&stdio.in, &stdio.out, &stdio.err}) {
    if (!*fd) *fd = TRY(about(sys::open("/dev/null", O_RDWR), "/dev/null"));
  }
  return {};
}

bool is_identity(const IdMap& map) {
  for (const auto* ranges : {&map.uids, &map.gids}) {
    for (const IdRange& range : *ranges) {
      if (range.container != range.host) return false;
    }
  }
  return true;
}

void idmap(const Fd& mount, const Fd& user_ns, const std::string& what,
           std::vector<std::string>& warnings) {
  auto done = sys::mount_setattr_idmap(mount, AT_RECURSIVE, user_ns);
  if (!done && done.error().code == EINVAL) done = sys::mount_setattr_idmap(mount, 0, user_ns);
  if (done) return;
  warnings.push_back(what + ": its file system cannot map ids (" + describe(done.error()) +
                     "): files of the host's root are not the container's root's");
}

}  // namespace

Result<Fd> open_bind(const Mount& mount) {
  auto options = TRY(parse_mount_options(mount.options));
  const unsigned recursive = options.recursive ? AT_RECURSIVE : 0U;
  Fd tree = TRY(about(sys::open_tree(sys::cwd(), mount.source.c_str(), OPEN_TREE_CLONE | recursive),
                      mount.source));
  TRY(about(sys::set_propagation(tree, recursive, options.propagation), mount.source));
  if ((options.set | options.clear) != 0)
    TRY(about(sys::mount_setattr(tree, recursive, options.set, options.clear), mount.source));
  return tree;
}

Result<Preparation> prepare(const Spec& spec, Stdio stdio) {
  Preparation prepared;
  prepared.stdio = std::move(stdio);
  if (!spec.process.terminal) TRY(fill_stdio(prepared.stdio));
  prepared.creator = TRY(sys::pidfd_open(::getpid()));
  prepared.privileged = is_privileged();
  prepared.binds.resize(spec.mounts.size());
  if (!prepared.privileged) return prepared;
  if (spec.root_kind == RootKind::directory) {
    Mount root{"/", "bind", spec.root_path, {"rbind"}};
    prepared.root = TRY(during("open the root", open_bind(root)));
  }
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    if (spec.mounts[i].type != "bind") continue;
    prepared.binds[i] = TRY(during("open the volume", open_bind(spec.mounts[i])));
  }
  return prepared;
}

Result<> idmap_binds(const Spec& spec, const Preparation& preparation, pid_t child,
                     std::vector<std::string>& warnings) {
  if (!preparation.privileged || is_identity(spec.id_map)) return {};
  std::string path = "/proc/" + std::to_string(child) + "/ns/user";
  Fd user_ns = TRY(about(sys::open(path.c_str(), O_RDONLY), path));
  if (preparation.root) idmap(preparation.root, user_ns, spec.root_path, warnings);
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    if (!preparation.binds[i]) continue;
    auto options = TRY(parse_mount_options(spec.mounts[i].options));
    if (options.idmap) idmap(preparation.binds[i], user_ns, spec.mounts[i].source, warnings);
  }
  return {};
}

}  // namespace lyr::sandbox
