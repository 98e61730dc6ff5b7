// SPDX-License-Identifier: Apache-2.0
#include "tools/mount_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "unionfs/lower.h"

namespace lyr::tools {
namespace {

constexpr size_t ranges_max = 340;  // of an id map, as the kernel has it

Failure refuse(std::string sentence) { return fail_saying(EINVAL, std::move(sentence)); }

// The end of a part that begins at `at`: the next `separator` that no backslash stands before, and
// that is in no quotation that begins right after a '='.
size_t part_end(std::string_view text, size_t at, char separator) {
  bool quoted = false;
  for (size_t i = at; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"' && (quoted || (i > at && text[i - 1] == '='))) {
      quoted = !quoted;
    } else if (text[i] == separator && !quoted) {
      return i;
    }
  }
  return text.size();
}

std::vector<std::string_view> split_unescaped(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    size_t end = part_end(text, at, separator);
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One option on its way: its name, its value, and what it changes.
struct Given {
  std::string_view name;
  std::optional<std::string_view> value;
  MountOptions& to;

  std::string text() const {
    return std::string(name) + (value ? "=" + std::string(*value) : std::string());
  }
  Failure wrong(std::string_view wanted) const {
    return refuse("option '" + text() + "': " + std::string(wanted));
  }
};

Result<> add_directory(const Given& given, std::vector<std::string>& to, std::string_view path) {
  if (&to == &given.to.lower && !given.to.data.empty())
    return given.wrong("after data-only directories come only such (\"::\" before each)");
  to.push_back(unescape(path));
  return {};
}

// LOWER[:LOWER...][::DATA...]
Result<> directories(const Given& given) {
  auto parts = split_unescaped(*given.value, ':');
  for (size_t i = 0; i < parts.size(); ++i) {
    bool data = parts[i].empty() && i > 0;
    if (data) ++i;
    if (i == parts.size() || parts[i].empty()) return given.wrong("a directory's name is empty");
    TRY(add_directory(given, data ? given.to.data : given.to.lower, parts[i]));
  }
  return {};
}

Result<> one_directory(const Given& given, std::string& to) {
  to = unescape(*given.value);
  return to.empty() ? Result<>(given.wrong("a directory is wanted")) : Result<>();
}

Result<> further_directory(const Given& given, std::vector<std::string>& to) {
  if (given.value->empty()) return given.wrong("a directory is wanted");
  return add_directory(given, to, *given.value);
}

Result<> on_or_off(const Given& given, bool& to) {
  bool on = given.value == "1";
  if (!on && given.value != "0") return given.wrong("0 or 1 is wanted");
  to = on;
  return {};
}

// ON_DISK:SHOWN:COUNT, and further such after colons or commas.
Result<> id_map(const Given& given, std::vector<unionfs::IdRange>& to) {
  std::string text = unescape(*given.value);
  std::ranges::replace(text, ',', ':');
  auto parts = split_unescaped(text, ':');
  if (parts.size() % 3 != 0 || parts.size() / 3 > ranges_max)
    return given.wrong("ON_DISK:SHOWN:COUNT is wanted, up to 340 times");
  for (size_t i = 0; i < parts.size(); i += 3) {
    auto on_disk = number<uint32_t>(parts[i]);
    auto shown = number<uint32_t>(parts[i + 1]);
    auto count = number<uint32_t>(parts[i + 2]);
    bool fits = on_disk && shown && count && *count > 0 && *count <= UINT32_MAX - *on_disk &&
                *count <= UINT32_MAX - *shown;
    if (!fits) return given.wrong("not a range of ids");
    to.push_back({*on_disk, *shown, *count});
  }
  return {};
}

Result<> one_id(const Given& given, std::optional<uint32_t>& to) {
  to = number<uint32_t>(*given.value);
  bool id = to && *to != unionfs::leave_id;
  return id ? Result<>() : Result<>(given.wrong("an id is wanted"));
}

Result<> redirects(const Given& given) {
  std::string_view value = *given.value;
  if (value != "on" && value != "off" && value != "follow" && value != "nofollow")
    return given.wrong("on, off, follow or nofollow is wanted");
  given.to.make_redirects = value == "on";
  given.to.follow_redirects = value != "nofollow";
  return {};
}

Result<> timeout(const Given& given) {
  auto seconds = number<double>(*given.value);
  if (!seconds || !std::isfinite(*seconds) || *seconds < 0)
    return given.wrong("seconds are wanted");
  given.to.timeout_s = std::min(*seconds, 1e9);
  return {};
}

// Those of overlayfs's that are only taken when they switch off what there is not.
Result<> only_off(const Given& given) {
  bool off = given.value == "off" || given.value == "0" || given.value == "";
  return off ? Result<>() : Result<>(given.wrong("lyr does not do that; leave it out, or off"));
}

Result<> switch_on(bool& what) {
  what = true;
  return {};
}

Result<> switch_off(bool& what) {
  what = false;
  return {};
}

Result<> no_xattrs(const Given& given) {
  bool none = false;
  TRY(on_or_off(given, none));
  given.to.xattrs = !none;
  return {};
}

Result<> permissions(const Given& given) {
  using enum MountOptions::Permissions;
  auto which = number<uint32_t>(*given.value);
  if (!which || *which > 2) return given.wrong("0, 1 or 2 is wanted");
  given.to.permissions = *which == 0 ? real : *which == 1 ? security_xattr : user_xattr;
  return {};
}

Result<> lose_on_power_cut(const Given& given) {
  given.to.sync = given.to.durable = false;
  given.to.is_volatile = true;
  return {};
}

Result<> auto_unmount(const Given& given) {
  return given.wrong("lyr unmounts when it is asked to end, but not when it is killed");
}

struct Flag {
  std::string_view name;
  unsigned long set = 0;
  unsigned long clear = 0;
};
constexpr auto flags = std::to_array<Flag>({
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"noatime", MS_NOATIME, 0},
    {"atime", 0, MS_NOATIME},
    {"relatime", MS_RELATIME, 0},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
});

// What holds anyway, or is no more than advice.
constexpr auto harmless = std::to_array<std::string_view>({"allow_root",     "default_permissions",
                                                           "defaults",       "clone_fd",
                                                           "nonempty",       "kernel_cache",
                                                           "auto_cache",     "noforget",
                                                           "splice_read",    "splice_write",
                                                           "splice_move",    "big_writes",
                                                           "no_splice_read", "async_read",
                                                           "sync_read",      "no_splice_write",
                                                           "lazytime",       "no_splice_move",
                                                           "nolazytime",     "auto",
                                                           "noauto",         "nofail",
                                                           "_netdev",        "user",
                                                           "users",          "nouser",
                                                           "owner",          "group"});
constexpr auto harmless_with_value = std::to_array<std::string_view>(
    {"max_idle_threads", "max_threads", "max_background", "congestion_threshold", "max_readahead",
     "fast_ino", "subtype", "comment", "user", "xino", "uuid"});

struct Rule {
  std::string_view name;
  bool has_value;
  Result<> (*take)(const Given&);
};
constexpr auto rules = std::to_array<Rule>({
    {"lowerdir", true, directories},
    {"lowerdir+", true,
     [](const Given& given) { return further_directory(given, given.to.lower); }},
    {"datadir+", true, [](const Given& given) { return further_directory(given, given.to.data); }},
    {"upperdir", true, [](const Given& given) { return one_directory(given, given.to.upper); }},
    {"workdir", true, [](const Given& given) { return one_directory(given, given.to.work); }},
    {"redirect_dir", true, redirects},
    {"uidmapping", true, [](const Given& given) { return id_map(given, given.to.ids.users); }},
    {"gidmapping", true, [](const Given& given) { return id_map(given, given.to.ids.groups); }},
    {"squash_to_uid", true,
     [](const Given& given) { return one_id(given, given.to.ids.one_user); }},
    {"squash_to_gid", true,
     [](const Given& given) { return one_id(given, given.to.ids.one_group); }},
    {"timeout", true, timeout},
    {"threaded", true,
     [](const Given& given) { return on_or_off(given, given.to.several_threads); }},
    {"fsync", true, [](const Given& given) { return on_or_off(given, given.to.sync); }},
    {"writeback", true, [](const Given& given) { return on_or_off(given, given.to.writeback); }},
    {"noxattrs", true, no_xattrs},
    {"noacl", false, [](const Given& given) { return switch_off(given.to.acls); }},
    {"volatile", false, lose_on_power_cut},
    {"static_nlink", false, [](const Given& given) { return switch_on(given.to.static_links); }},
    {"userxattr", false, [](const Given& given) { return switch_on(given.to.user_xattrs); }},
    {"allow_other", false, [](const Given& given) { return switch_on(given.to.allow_other); }},
    {"debug", false, [](const Given& given) { return switch_on(given.to.debug); }},
    {"io_uring", false, [](const Given& given) { return switch_on(given.to.io_uring); }},
    {"passthrough", false, [](const Given& given) { return switch_on(given.to.passthrough); }},
    {"file_flags", false, [](const Given& given) { return switch_on(given.to.file_flags); }},
    {"fsname", true, [](const Given& given) { return one_directory(given, given.to.source); }},
    {"xattr_permissions", true, permissions},
    {"plugins", true, only_off},
    {"index", true, only_off},
    {"metacopy", true, only_off},
    {"nfs_export", true, only_off},
    {"verity", true, only_off},
    {"auto_unmount", false, auto_unmount},
});

bool is_kernel_option(std::string_view name) {
  return name == "context" || name == "fscontext" || name == "defcontext" ||
         name == "rootcontext" || name == "max_read" || name == "blksize";
}

Result<> take_option(std::string_view text, MountOptions& to, bool& squash) {
  size_t sign = text.find('=');
  Given given{text.substr(0, sign), std::nullopt, to};
  if (sign != std::string_view::npos) given.value = text.substr(sign + 1);
  auto flag = std::ranges::find(flags, given.name, &Flag::name);
  if (flag != flags.end() && !given.value) {
    to.flags = (to.flags & ~flag->clear) | flag->set;
    return {};
  }
  auto rule = std::ranges::find(rules, given.name, &Rule::name);
  if (rule != rules.end()) {
    if (given.value.has_value() != rule->has_value)
      return given.wrong(rule->has_value ? "a value is wanted" : "it takes no value");
    return rule->take(given);
  }
  if (given.name == "squash_to_root" && !given.value) {
    squash = true;
    return {};
  }
  if (is_kernel_option(given.name) && given.value) {
    to.kernel.emplace_back(text);
    return {};
  }
  auto among = [&](auto& names) { return std::ranges::find(names, given.name) != std::end(names); };
  bool does_no_harm = given.value ? among(harmless_with_value) : among(harmless);
  if (does_no_harm || given.name.starts_with("x-")) return {};
  return refuse("option '" + given.text() + "' is not known (docs/unionfs.md lists them)");
}

Result<> check(const MountOptions& options) {
  if (options.lower.empty()) return refuse("no lower directory: say -o lowerdir=DIR[:DIR...]");
  size_t directories = options.lower.size() + options.data.size();
  if (directories > unionfs::DirectoryStack::layers_max)
    return refuse(std::to_string(directories) + " lower directories; 500 are the most");
  if (options.upper.empty() != options.work.empty())
    return refuse(options.upper.empty() ? "workdir= is nothing without upperdir="
                                        : "upperdir= needs workdir=, an empty directory beside it");
  return {};
}

}  // namespace

Result<MountOptions> parse_mount_options(const std::vector<std::string>& texts) {
  MountOptions options;
  options.flags = MS_NODEV | MS_NOATIME;  // as fuse-overlayfs
  bool squash_to_root = false;
  for (const std::string& text : texts) {
    if (text.contains('\0')) return refuse("an option has a zero byte");
    for (std::string_view part : split_unescaped(text, ',')) {
      if (!part.empty()) TRY(take_option(part, options, squash_to_root));
    }
  }
  if (squash_to_root && !options.ids.one_user) options.ids.one_user = 0;
  if (squash_to_root && !options.ids.one_group) options.ids.one_group = 0;
  TRY(check(options));
  if (options.upper.empty()) options.flags |= MS_RDONLY;
  return options;
}

}  // namespace lyr::tools
