// SPDX-License-Identifier: Apache-2.0
#include "unionfs/override_stat.h"

#include <array>
#include <charconv>

#include "base/sys_file.h"
#include "unionfs/ids.h"

namespace lyr::unionfs {
namespace {

// A number and the colon after it, which both go; the last has none.
std::optional<uint32_t> take_number(std::string_view& text, int base) {
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.starts_with(':')) text.remove_prefix(1);
  return value;
}

std::optional<OverrideStat::Value> parse(std::string_view text) {
  auto uid = take_number(text, 10);
  auto gid = take_number(text, 10);
  auto mode = take_number(text, 8);
  if (!uid || !gid || !mode || *uid == leave_id || *gid == leave_id) return std::nullopt;
  return OverrideStat::Value{*uid, *gid, *mode & 07777};
}

Result<std::optional<std::string>> text_of(const Fd& object, const char* name) {
  auto text = sys::get_xattr(object, name);
  bool none = !text && (text.error().code == ENODATA || text.error().code == EOPNOTSUPP);
  if (none) return std::nullopt;
  if (!text) return std::unexpected(std::move(text).error());
  return std::move(*text);
}

}  // namespace

std::string override_text(uint32_t uid, uint32_t gid, uint32_t mode) {
  std::array<char, 16> octal{};
  auto end = std::to_chars(octal.begin(), octal.end(), mode & 07777, 8).ptr;
  return std::to_string(uid) + ":" + std::to_string(gid) + ":" + std::string(octal.begin(), end);
}

// In the order in which fuse-overlayfs looks for them.
Result<OverrideStat> OverrideStat::of_layer(const Fd& root) {
  for (const char* name : {security_stat_name, containers_stat_name, user_stat_name}) {
    auto text = TRY(text_of(root, name));
    if (text) return OverrideStat(name);
  }
  return OverrideStat();
}

Result<std::optional<OverrideStat::Value>> OverrideStat::read(const Fd& object) const {
  auto text = TRY(text_of(object, name_));
  return text ? parse(*text) : std::nullopt;
}

Result<> OverrideStat::apply(const Fd& object, struct stat& status) const {
  if (!covers(status.st_mode)) return {};
  auto value = TRY(read(object));
  if (!value) return {};
  status.st_uid = value->uid;
  status.st_gid = value->gid;
  status.st_mode = (status.st_mode & S_IFMT) | value->mode;
  return {};
}

Result<> OverrideStat::write(const Fd& object, const struct stat& status) const {
  return sys::set_xattr(object, name_, override_text(status.st_uid, status.st_gid, status.st_mode));
}

}  // namespace lyr::unionfs
