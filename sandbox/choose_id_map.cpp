// SPDX-License-Identifier: Apache-2.0
// Which host ids a container's ids become. The container's root is never the host's, even when lyr
// runs as root.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/sys_file.h"
#include "sandbox/id_map.h"
#include "sandbox/sandbox.h"

namespace lyr::sandbox {
namespace {

// Root without a line in /etc/subuid: a range that no account, adduser (to 60000), subuid default
// (100000..600100000), systemd-nspawn (524288..1879048191) or foreign-id range (from 2147352576)
// takes, and that stays below 2^31, where some programs read ids as signed. All of it, since images
// have files and users beyond 65535 too.
constexpr uint32_t own_range_first = 1879048192;
constexpr uint32_t own_range_count = 2147352576 - own_range_first;
constexpr uint32_t container_ids_max = own_range_count;
constexpr size_t subid_file_bytes_max = 4 << 20;
constexpr size_t passwd_bytes_max = 16 << 20;

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Ranges of "name:first:count" lines whose name is ours, by name or by number (subuid(5)).
std::vector<IdRange> subid_ranges(const char* path, const std::string& name) {
  std::vector<IdRange> ranges;
  auto text = sys::read_file_at(sys::cwd(), path, subid_file_bytes_max);
  if (!text) return ranges;
  std::string by_number = std::to_string(::geteuid());
  std::string_view rest(*text);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    size_t first = line.find(':');
    size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    std::string_view owner = line.substr(0, first);
    if (owner != name && owner != by_number) continue;
    auto begin = number(line.substr(first + 1, second - first - 1));
    auto count = number(line.substr(second + 1));
    if (begin && count && *count > 0) ranges.push_back({0, *begin, *count});
  }
  return ranges;
}

// `ranges` laid out from the container id `next` on, `container_ids` in all at most.
std::vector<IdRange> laid_out(std::vector<IdRange> ranges, uint32_t next) {
  std::vector<IdRange> out;
  for (IdRange& range : ranges) {
    if (next >= container_ids_max) break;
    range.container = next;
    range.count = std::min(range.count, container_ids_max - next);
    next += range.count;
    out.push_back(range);
  }
  return out;
}

// From /etc/passwd itself: getpwuid(3) would load the host's name services into a static program.
std::string account_name() {
  std::string by_number = std::to_string(::geteuid());
  auto text = sys::read_file_at(sys::cwd(), "/etc/passwd", passwd_bytes_max);
  if (!text) return by_number;
  std::string_view rest(*text);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    size_t name_end = line.find(':');
    size_t password_end = name_end == line.npos ? line.npos : line.find(':', name_end + 1);
    if (password_end == line.npos) continue;
    std::string_view uid = line.substr(password_end + 1);
    if (uid.substr(0, uid.find(':')) == by_number) return std::string(line.substr(0, name_end));
  }
  return by_number;
}

// The ids that exist in our own user namespace, for a lyr that runs as root of a container.
std::vector<IdRange> own_ranges(const char* path) {
  std::vector<IdRange> ranges;
  auto text = sys::read_file_at(sys::cwd(), path, 65536);
  if (!text) return ranges;
  const char* at = text->data();
  const char* end = at + text->size();
  for (;;) {
    uint32_t values[3];
    for (uint32_t& value : values) {
      while (at < end && (*at == ' ' || *at == '\n')) ++at;
      auto [next, error] = std::from_chars(at, end, value);
      if (error != std::errc()) return ranges;
      at = next;
    }
    ranges.push_back({values[0], values[1], values[2]});
  }
}

std::vector<IdRange> root_ranges(const char* subid_path, const char* own_path) {
  auto own = own_ranges(own_path);
  auto exists = [&](uint32_t first, uint32_t count) {
    auto holds = [&](const IdRange& range) {
      return first >= range.container && first - range.container <= range.count &&
             count <= range.count - (first - range.container);
    };
    return std::any_of(own.begin(), own.end(), holds);
  };
  auto listed = subid_ranges(subid_path, "root");
  std::erase_if(listed, [&](const IdRange& range) { return !exists(range.host, range.count); });
  auto chosen = laid_out(std::move(listed), 0);
  if (mapped_from_zero(chosen) >= container_ids) return chosen;
  if (exists(own_range_first, own_range_count)) return {{0, own_range_first, own_range_count}};
  // Nested: all ids there are. Our root is no more than a container's root either.
  for (IdRange& range : own) range.host = range.container;
  std::erase_if(own, [](const IdRange& range) { return range.container >= container_ids; });
  return own;
}

bool has_map_programs() {
  auto present = [](const char* name) {
    for (const char* directory : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
      auto there = sys::exists_at(sys::cwd(), (std::string(directory) + name).c_str());
      if (there && *there) return true;
    }
    return false;
  };
  return present("newuidmap") && present("newgidmap");
}

IdMap single_map(uint32_t uid, uint32_t gid) { return {{{0, uid, 1}}, {{0, gid, 1}}, true}; }

}  // namespace

Result<ChosenIdMap> choose_id_map(bool force_single) {
  ChosenIdMap chosen;
  if (is_privileged()) {
    chosen.map.uids = root_ranges("/etc/subuid", "/proc/self/uid_map");
    chosen.map.gids = root_ranges("/etc/subgid", "/proc/self/gid_map");
    if (chosen.map.uids.empty() || chosen.map.gids.empty())
      return fail_saying(EPERM, "no ids are mapped in our own user namespace");
    bool nested_in_one = mapped_from_zero(chosen.map.uids) == 1;
    if (!force_single && !nested_in_one) return chosen;
    chosen.map = single_map(chosen.map.uids[0].host, chosen.map.gids[0].host);
    chosen.why_single = force_single ? "it was asked for" : "lyr runs in a container of one id";
    return chosen;
  }
  std::string name = account_name();
  auto uids = subid_ranges("/etc/subuid", name);
  auto gids = subid_ranges("/etc/subgid", name);
  if (force_single) {
    chosen.why_single = "it was asked for";
  } else if (uids.empty() || gids.empty()) {
    chosen.why_single = "/etc/subuid and /etc/subgid give no ids to " + name +
                        " (as root: usermod --add-subuids 100000-165535 --add-subgids "
                        "100000-165535 " +
                        name + ")";
  } else if (!has_map_programs()) {
    chosen.why_single = "newuidmap and newgidmap are missing (install the package uidmap)";
  }
  chosen.map = single_map(::geteuid(), ::getegid());
  if (!chosen.why_single.empty()) return chosen;
  chosen.map.single = false;
  for (const IdRange& range : laid_out(std::move(uids), 1)) chosen.map.uids.push_back(range);
  for (const IdRange& range : laid_out(std::move(gids), 1)) chosen.map.gids.push_back(range);
  return chosen;
}

}  // namespace lyr::sandbox
