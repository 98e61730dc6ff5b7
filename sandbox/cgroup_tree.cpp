// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup_tree.h"

#include <algorithm>
#include <string_view>

#include "base/sys_file.h"

namespace lyr::sandbox {
namespace {

constexpr size_t proc_file_bytes_max = 4 << 20;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return parts;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// "31 23 0:28 ROOT DIRECTORY rw,.. [optional...] - TYPE SOURCE SUPER-OPTIONS" (proc(5)).
bool is_mount_of(const std::vector<std::string>& fields, const CgroupHierarchy& hierarchy) {
  auto dash = std::find(fields.begin(), fields.end(), "-");
  if (fields.size() < 5 || fields.end() - dash < 4) return false;
  if (hierarchy.unified) return dash[1] == "cgroup2";
  if (dash[1] != "cgroup") return false;
  auto options = split(dash[3], ',');
  return std::all_of(hierarchy.controllers.begin(), hierarchy.controllers.end(),
                     [&](const std::string& name) { return contains(options, name); });
}

Result<std::vector<CgroupHierarchy>> parse_hierarchies(const char* path) {
  std::string text = TRY(sys::read_file_at(sys::cwd(), path, proc_file_bytes_max));
  std::vector<CgroupHierarchy> hierarchies;
  for (const std::string& line : split(text, '\n')) {
    // "4:cpu,cpuacct:/path"; v2 is "0::/path" (cgroups(7)).
    size_t first = line.find(':');
    size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    CgroupHierarchy hierarchy;
    hierarchy.controllers = split(line.substr(first + 1, second - first - 1), ',');
    hierarchy.unified = hierarchy.controllers.empty();
    hierarchy.path = line.substr(second + 1);
    hierarchies.push_back(std::move(hierarchy));
  }
  return hierarchies;
}

}  // namespace

std::string CgroupHierarchy::directory_name() const {
  if (unified) return "unified";
  std::string name;
  for (const std::string& controller : controllers) {
    if (!name.empty()) name += ',';
    name += controller.starts_with("name=") ? controller.substr(5) : controller;
  }
  return name;
}

Result<std::vector<CgroupHierarchy>> read_cgroup_hierarchies() {
  return parse_hierarchies("/proc/self/cgroup");
}

Result<std::vector<CgroupHierarchy>> read_cgroup_hierarchies(pid_t pid) {
  return parse_hierarchies(("/proc/" + std::to_string(pid) + "/cgroup").c_str());
}

Result<MountTable> MountTable::read() {
  MountTable table;
  table.text_ = TRY(sys::read_file_at(sys::cwd(), "/proc/self/mountinfo", proc_file_bytes_max));
  return table;
}

std::optional<CgroupMount> MountTable::find(const CgroupHierarchy& hierarchy) const {
  for (const std::string& line : split(text_, '\n')) {
    auto fields = split(line, ' ');
    if (is_mount_of(fields, hierarchy)) return CgroupMount{fields[4], fields[3]};
  }
  return std::nullopt;
}

std::optional<std::string> directory_of(const CgroupMount& mount, const std::string& path) {
  if (mount.root == "/") return mount.directory + (path == "/" ? "" : path);
  if (!path.starts_with(mount.root)) return std::nullopt;
  return mount.directory + path.substr(mount.root.size());
}

}  // namespace lyr::sandbox
