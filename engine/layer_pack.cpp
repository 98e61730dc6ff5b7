// SPDX-License-Identifier: Apache-2.0
#include "engine/layer_pack.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/sys_file.h"
#include "engine/tar_packer.h"

namespace lyr::engine {
namespace {

constexpr std::string_view whiteout_prefix = ".wh.";

struct Split {
  std::string parent;  // "" is the root
  std::string base;
};

// Of "/etc/hosts", without the first slash.
Split split(const std::string& path) {
  size_t slash = path.rfind('/');
  return {slash == 0 ? "" : path.substr(1, slash - 1), path.substr(slash + 1)};
}

class LayerPacker {
 public:
  LayerPacker(const Fd& root, const Fd& tar) : root_(root), packer_(tar, Keep::exact) {}

  Result<> add_root(const RootOwner& before) {
    auto info = TRY(sys::stat(root_));
    bool same = (info.st_mode & 07777) == before.permissions && info.st_uid == before.uid &&
                info.st_gid == before.gid;
    return same ? Result<>() : packer_.add(root_, ".", ".", info, {});
  }

  Result<> add(const unionfs::Change& change) {
    auto [parent, base] = split(change.path);
    std::string inside = parent.empty() ? "" : parent + "/";
    if (change.kind == unionfs::ChangeKind::deleted)
      return packer_.add_empty(inside + std::string(whiteout_prefix) + base);
    auto added = about(add_object(parent, base, inside + base, change), change.path);
    if (!added && may_be_left_out(added.error())) return {};
    return added;
  }

  Result<> finish() { return packer_.finish(); }

 private:
  Result<> add_object(const std::string& parent, const std::string& base, const std::string& name,
                      const unionfs::Change& change) {
    if (!directory_ || parent != path_) {
      directory_.reset();
      constexpr int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
      directory_ = TRY(sys::open_no_links(root_, parent.empty() ? "." : parent.c_str(), flags));
      path_ = parent;
    }
    Fd object = TRY(sys::open_no_links(directory_, base.c_str(), O_PATH | O_NOFOLLOW));
    auto info = TRY(sys::stat(object));
    // Not by the number that it has here: overlayfs may show two for one file.
    if (change.links_as == 0) info.st_nlink = 1;
    return packer_.add(directory_, base, name, info, {0, change.links_as}, change.owner);
  }

  const Fd& root_;
  TarPacker packer_;
  std::string path_;  // of directory_
  Fd directory_;
};

}  // namespace

std::vector<std::string> drop_unspeakable(std::vector<unionfs::Change>& changes) {
  std::vector<std::string> sentences;
  std::erase_if(changes, [&](const unionfs::Change& change) {
    size_t at = change.path.find("/" + std::string(whiteout_prefix));
    if (at == std::string::npos) return false;
    bool topmost = change.path.find('/', at + 1) == std::string::npos;
    if (topmost) {
      sentences.push_back(change.path +
                          " is left out: in a layer its name would delete another file");
    }
    return true;
  });
  return sentences;
}

Result<> pack_layer(const Fd& root, std::span<const unionfs::Change> changes,
                    const RootOwner& before, const Fd& tar) {
  LayerPacker packer(root, tar);
  TRY(packer.add_root(before));
  for (const unionfs::Change& change : changes) TRY(packer.add(change));
  return packer.finish();
}

}  // namespace lyr::engine
