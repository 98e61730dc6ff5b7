// SPDX-License-Identifier: Apache-2.0
#include "engine/user.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace lyr::engine {
namespace {

constexpr size_t groups_max = 65536;  // the kernel's NGROUPS_MAX

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Digits only, and an id the kernel takes: -1 (all ones) means "no change" there.
Result<std::optional<uint32_t>> parse_id(std::string_view text) {
  bool signed_digits = text.starts_with('-') || text.starts_with('+');
  if (!all_digits(signed_digits ? text.substr(1) : text)) return std::nullopt;
  uint32_t id = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (signed_digits || error != std::errc() || end != text.data() + text.size() || id > INT32_MAX) {
    return fail_saying(
        EINVAL, "user or group id " + std::string(text) + " is out of range (0 to 2147483647)");
  }
  return id;
}

struct Account {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

std::optional<Account> parse_account(std::string_view line) {
  auto fields = split(line, ':');
  if (fields.size() < 6) return std::nullopt;
  auto uid = parse_id(fields[2]);
  auto gid = parse_id(fields[3]);
  if (!uid || !*uid || !gid || !*gid) return std::nullopt;
  return Account{std::string(fields[0]), **uid, **gid, std::string(fields[5])};
}

struct Group {
  std::string name;
  uint32_t gid = 0;
  std::vector<std::string_view> members;
};

std::optional<Group> parse_group(std::string_view line) {
  auto fields = split(line, ':');
  if (fields.size() < 4) return std::nullopt;
  auto gid = parse_id(fields[2]);
  if (!gid || !*gid) return std::nullopt;
  return Group{std::string(fields[0]), **gid, split(fields[3], ',')};
}

std::optional<Account> find_account(const std::string& passwd, std::string_view name,
                                    std::optional<uint32_t> uid) {
  for (std::string_view line : split(passwd, '\n')) {
    auto account = parse_account(line);
    if (!account) continue;
    if (uid ? account->uid == *uid : account->name == name) return account;
  }
  return std::nullopt;
}

Result<uint32_t> find_group(const std::string& groups, std::string_view text) {
  auto gid = TRY(parse_id(text));
  if (gid) return *gid;
  for (std::string_view line : split(groups, '\n')) {
    auto group = parse_group(line);
    if (group && group->name == text) return group->gid;
  }
  return fail_saying(ENOENT, "the image has no group " + std::string(text) + " in /etc/group");
}

Result<std::string> read_text(const store::Store& store, const store::Tree& tree,
                              const char* path) {
  store::Ino ino = store::resolve(tree, path, true);
  if (ino == store::no_ino) return std::string();
  store::TreeAttr attr = tree.attr(ino);
  if (!S_ISREG(attr.mode) || attr.size > account_bytes_max) {
    return fail_saying(EINVAL,
                       std::string("the image's ") + path + " is not a file of a sane size");
  }
  std::string text(attr.size, '\0');
  size_t got = TRY(store.read_file(tree, ino, 0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return text;
}

}  // namespace

Result<Accounts> read_accounts(const store::Store& store, const store::Tree& tree) {
  Accounts accounts;
  accounts.passwd = TRY(read_text(store, tree, "/etc/passwd"));
  accounts.group = TRY(read_text(store, tree, "/etc/group"));
  return accounts;
}

Result<ResolvedUser> resolve_user(std::string_view text, const Accounts& accounts) {
  size_t colon = text.find(':');
  std::string_view name = text.substr(0, colon);
  if (name.empty()) name = "0";
  auto uid = TRY(parse_id(name));
  auto account = find_account(accounts.passwd, name, uid);
  if (!uid && !account) {
    return fail_saying(ENOENT, "the image has no user " + std::string(name) + " in /etc/passwd");
  }
  ResolvedUser resolved;
  resolved.user.uid = uid ? *uid : account->uid;
  if (account && account->home.starts_with('/')) resolved.home = account->home;
  if (colon != std::string_view::npos && colon + 1 < text.size()) {
    // A group that was asked for is the only one, as in docker.
    resolved.user.gid = TRY(find_group(accounts.group, text.substr(colon + 1)));
    return resolved;
  }
  if (!account) return resolved;
  resolved.user.gid = account->gid;
  for (std::string_view line : split(accounts.group, '\n')) {
    auto group = parse_group(line);
    if (!group || std::ranges::find(group->members, account->name) == group->members.end())
      continue;
    if (resolved.user.additional_gids.size() < groups_max) {
      resolved.user.additional_gids.push_back(group->gid);
    }
  }
  return resolved;
}

}  // namespace lyr::engine
