// SPDX-License-Identifier: Apache-2.0
// Directories that were renamed in a layer: what lies below such a one is, in the layers below,
// where its redirect says. As overlayfs has it (fs/overlayfs/namei.c), an absolute redirect is a
// path in the view that those layers alone give, a relative one a name in the same directory. So it
// is with files whose attributes alone a layer has, and the content layers below (metacopy).
#include <fcntl.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/directory_lower.h"

namespace lyr::unionfs {
namespace {

constexpr int steps_max = 4096;  // names looked up in layers, for one directory

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= NAME_MAX &&
         !name.contains('/') && !name.contains('\0');
}

std::string beneath(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : std::string(path).append("/").append(name);
}

}  // namespace

// Where the layers from `below` on have a directory that is loaded.
std::vector<DirectoryLower::Place> DirectoryLower::places(Ino directory, LayerIndex below) const {
  std::vector<Place> found;
  for (const Source& source : listing(directory).sources) {
    if (source.layer >= below) found.push_back({source.layer, path_of(directory, source.layer)});
  }
  return found;
}

// The directories that `name` in `parents` is.
Result<std::vector<DirectoryLower::Place>> DirectoryLower::resolve(std::vector<Place> parents,
                                                                   std::string_view name) {
  std::vector<Place> found;
  if (!is_name(name)) return fail(EINVAL, "redirect");
  for (size_t i = 0; i < parents.size(); ++i) {
    if (--steps_left_ < 0) return fail(ELOOP, "redirect");
    const Layer& layer = layers_[parents[i].layer];
    std::string path = beneath(parents[i].path, name);
    auto directory = layer.open_directory(path);
    if (!directory && directory.error().code == ENOENT) {
      auto parent = TRY(layer.open_directory(parents[i].path));
      std::string whiteout = std::string(whiteout_file_prefix).append(name);
      bool hidden = TRY(sys::exists_at(parent, whiteout.c_str()));
      if (hidden) break;
      continue;
    }
    // Something else is in the way.
    if (!directory && (directory.error().code == ENOTDIR || directory.error().code == ELOOP)) break;
    if (!directory) return std::unexpected(std::move(directory).error());
    found.push_back({parents[i].layer, std::move(path)});
    auto says = TRY(layer.says(*directory));
    if (says.opaque) break;
    if (says.redirect.empty()) continue;
    auto further = TRY(resolve_redirect(parents, parents[i].layer, says.redirect));
    std::ranges::move(further, std::back_inserter(found));
    break;
  }
  return found;
}

// `layer` has a directory in `parents` with this redirect: where the layers below have it.
Result<std::vector<DirectoryLower::Place>> DirectoryLower::resolve_redirect(
    const std::vector<Place>& parents, LayerIndex layer, const std::string& redirect) {
  if (!follow_redirects_) return fail(EPERM, "redirect");
  auto below = static_cast<LayerIndex>(layer + 1);
  if (!redirect.starts_with('/')) {
    std::vector<Place> rest = parents;
    std::erase_if(rest, [&](const Place& place) { return place.layer < below; });
    return resolve(std::move(rest), redirect);
  }
  std::vector<Place> at = places(root_ino, below);
  std::string_view path = redirect;
  while (!path.empty()) {
    path.remove_prefix(1);
    size_t end = std::min(path.find('/'), path.size());
    at = TRY(resolve(std::move(at), path.substr(0, end)));
    path.remove_prefix(end);
  }
  return at;
}

Result<DirectoryLower::Below> DirectoryLower::below(std::vector<Place> parents, LayerIndex layer,
                                                    std::string name, const std::string& redirect) {
  if (!redirect.empty() && !follow_redirects_) return fail(EPERM, "redirect");
  size_t slash = redirect.rfind('/');
  Below found;
  if (redirect.starts_with('/')) {
    found.name = redirect.substr(slash + 1);
    std::string directory = redirect.substr(0, slash);
    found.parents = directory.empty() ? places(root_ino, static_cast<LayerIndex>(layer + 1))
                                      : TRY(resolve_redirect({}, layer, directory));
  } else {
    if (!redirect.empty()) name = redirect;
    found.name = std::move(name);
    std::erase_if(parents, [&](const Place& place) { return place.layer <= layer; });
    found.parents = std::move(parents);
  }
  if (!is_name(found.name)) return fail(EINVAL, "redirect");
  return found;
}

// The topmost such file, and its layer. EIO: there is none.
Result<Fd> DirectoryLower::find_file(const Below& below, LayerIndex& layer) const {
  for (const Place& parent : below.parents) {
    auto directory = TRY(layers_[parent.layer].open_directory(parent.path));
    auto file = sys::open_no_links(directory, below.name.c_str(), O_PATH | O_NOFOLLOW);
    if (file) {
      auto status = TRY(sys::stat(*file));
      if (!S_ISREG(status.st_mode)) break;
      layer = parent.layer;
      return std::move(*file);
    }
    if (file.error().code != ENOENT) return file;
    std::string whiteout = std::string(whiteout_file_prefix).append(below.name);
    bool hidden = TRY(sys::exists_at(directory, whiteout.c_str()));
    if (hidden) break;
  }
  return fail(EIO, "metacopy");
}

// By a user's word only a file of a data layer is found, and only where the mount allows that.
bool DirectoryLower::lacks_content(const Marks& marks) const {
  bool by_user = marks.user_metacopy && user_marks_ && !data_layers_.empty();
  return marks.metacopy || by_user;
}

// The first that has such a file, whatever others have under that name, as in overlayfs.
Result<Fd> DirectoryLower::content_in_data_layers(const std::string& path) const {
  size_t slash = path.rfind('/');
  if (path.starts_with('/') && is_name(path.substr(slash + 1))) {
    for (const Layer& layer : data_layers_) {
      auto directory =
          layer.open_directory(std::string_view(path).substr(0, slash).substr(slash > 0));
      if (!directory) continue;
      auto file = sys::open_no_links(*directory, path.c_str() + slash + 1, O_PATH | O_NOFOLLOW);
      if (file && S_ISREG(TRY(sys::stat(*file)).st_mode)) return file;
    }
  }
  return fail(EIO, "metacopy");
}

// What a layer has no content of. EIO: it is not there, or has another size.
Result<Fd> DirectoryLower::content_of(Ino file, Marks marks) {
  Fd found = TRY(marks.metacopy ? content_below(file, std::move(marks))
                                : content_in_data_layers(marks.redirect));
  auto status = TRY(sys::stat(found));
  if (static_cast<uint64_t>(status.st_size) != object(file).size) return fail(EIO, "metacopy");
  return found;
}

Result<Fd> DirectoryLower::content_below(Ino file, Marks marks) {
  const Object& known = object(file);
  const MergedNames& names = listing(known.directory).names;
  LayerIndex layer = names.at(known.entry).layer;
  Below at{places(known.directory, 0), std::string(names.name(known.entry))};
  steps_left_ = steps_max;
  while (true) {
    at = TRY(below(std::move(at.parents), layer, std::move(at.name), marks.content_redirect));
    auto found = find_file(at, layer);
    if (!found && found.error().code == EIO) return content_in_data_layers(marks.content_redirect);
    Fd file_there = TRY(std::move(found));
    marks = TRY(read_marks(file_there));
    if (!marks.metacopy) return file_there;
  }
}

Result<std::vector<DirectoryLower::Source>> DirectoryLower::moved_from(
    Ino directory, LayerIndex layer, const std::string& redirect) {
  steps_left_ = steps_max;
  auto found = TRY(resolve_redirect(places(parent(directory), 0), layer, redirect));
  std::vector<Source> sources;
  for (Place& place : found)
    sources.push_back({place.layer, std::make_unique<std::string>(std::move(place.path))});
  return sources;
}

}  // namespace lyr::unionfs
