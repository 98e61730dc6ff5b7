// SPDX-License-Identifier: Apache-2.0
#include "sandbox/resolver.h"

#include <string>

#include "base/sys_file.h"

namespace lyr::sandbox {
namespace {

Result<Fd> make_directory(const Fd& root, const std::string& path, int depth) {
  auto found = sys::open_in_root(root, path.c_str(), O_PATH | O_DIRECTORY);
  if (found || found.error().code != ENOENT) return about(std::move(found), path);
  if (depth == 0) return fail(ENAMETOOLONG, "mkdir", path);
  size_t slash = path.find_last_of('/');
  std::string parent_path = slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  Fd parent = TRY(make_directory(root, parent_path, depth - 1));
  // "a/b/" and "a/.": the parent was the directory meant.
  if (name.empty() || name == ".") return parent;
  if (name == "..") return fail(ENOENT, "mkdir", path);
  auto made = sys::mkdir_at(parent, name.c_str(), 0755);
  if (!made && made.error().code != EEXIST)
    return about(Result<Fd>(std::unexpected(std::move(made).error())), path);
  // Not by the name alone: a link that dangled before may be there.
  return about(sys::open_in_root(root, path.c_str(), O_PATH | O_DIRECTORY), path);
}

}  // namespace

Result<Fd> directory_in_root(const Fd& root, std::string_view path) {
  if (path.empty()) return fail(EINVAL, "mkdir");
  return make_directory(root, std::string(path), path_components_max);
}

Result<Fd> file_in_root(const Fd& root, std::string_view path) {
  Fd found = TRY(find_in_root(root, path));
  if (found) return found;
  std::string whole(path);
  size_t slash = whole.find_last_of('/');
  std::string parent_path = slash == std::string::npos || slash == 0 ? "/" : whole.substr(0, slash);
  std::string name = slash == std::string::npos ? whole : whole.substr(slash + 1);
  Fd parent = TRY(directory_in_root(root, parent_path));
  int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
  auto made = sys::open_at(parent, name.c_str(), flags, 0644);
  if (!made) return about(std::move(made), path);
  return about(sys::open_in_root(root, whole.c_str(), O_PATH), path);
}

Result<Fd> find_in_root(const Fd& root, std::string_view path) {
  std::string whole(path);
  auto found = sys::open_in_root(root, whole.c_str(), O_PATH);
  if (found) return found;
  if (found.error().code == ENOENT || found.error().code == ENOTDIR) return Fd();
  return about(std::move(found), path);
}

}  // namespace lyr::sandbox
