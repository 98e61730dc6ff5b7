// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuse_client.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace lyr::fuzz {
namespace {

constexpr size_t message_bytes_max = 1 << 18;
constexpr size_t listing_bytes = 1 << 15;
constexpr int error_max = 511;  // what fuse_dev_do_write lets pass
constexpr size_t depth_max = 64;

template <class T>
T struct_at(std::string_view body, size_t at = 0) {
  T value{};
  CHECK(body.size() >= at && body.size() - at >= sizeof value);
  std::memcpy(&value, body.data() + at, sizeof value);
  return value;
}

uint32_t size_asked(std::string_view request) {
  if (request.size() >= sizeof(fuse_read_in)) return struct_at<fuse_read_in>(request).size;
  return struct_at<fuse_getxattr_in>(request).size;
}

// Names and node numbers that the kernel would take, within the buffer.
void check_listing(std::string_view body, bool attributes) {
  for (size_t at = 0; at < body.size();) {
    if (attributes) at += sizeof(fuse_entry_out);
    auto entry = struct_at<fuse_dirent>(body, at);
    CHECK(entry.namelen > 0 && entry.namelen <= 255);
    at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
    CHECK(at <= body.size());
  }
}

size_t room_asked(std::string_view request) { return struct_at<fuse_ioctl_in>(request).out_size; }

void check_size(uint32_t opcode, std::string_view request, const FuseReply& reply) {
  const std::string& body = reply.body;
  if (reply.error != 0) return CHECK(body.empty());
  switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_LINK:
      return CHECK(body.size() == sizeof(fuse_entry_out));
    case FUSE_TMPFILE:
      return CHECK(body.size() == sizeof(fuse_entry_out) + sizeof(fuse_open_out));
    case FUSE_GETATTR:
    case FUSE_SETATTR:
      return CHECK(body.size() == sizeof(fuse_attr_out));
    case FUSE_WRITE:
    case FUSE_COPY_FILE_RANGE:
      return CHECK(body.size() == sizeof(fuse_write_out));
    case FUSE_STATFS:
      return CHECK(body.size() == sizeof(fuse_statfs_out));
    case FUSE_OPEN:
      return CHECK(body.size() == sizeof(fuse_open_out));
    case FUSE_IOCTL:
      CHECK(body.size() >= sizeof(fuse_ioctl_out));
      return CHECK(body.size() - sizeof(fuse_ioctl_out) <= room_asked(request));
    case FUSE_LSEEK:
      return CHECK(body.size() == sizeof(fuse_lseek_out));
    case FUSE_READLINK:
      return CHECK(!body.empty() && body.size() < 4096);
    case FUSE_READ:
      return CHECK(body.size() <= size_asked(request));
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
      if (size_asked(request) == 0) return CHECK(body.size() == sizeof(fuse_getxattr_out));
      return CHECK(body.size() <= size_asked(request));
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
      CHECK(body.size() <= size_asked(request));
      return check_listing(body, opcode == FUSE_READDIRPLUS);
    default:
      return CHECK(body.empty());
  }
}

}  // namespace

FuseClient::FuseClient(Fd socket) : socket_(std::move(socket)), buffer_(message_bytes_max, '\0') {
  held_[FUSE_ROOT_ID] = UINT64_MAX;
  fuse_init_in init{};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = FUSE_KERNEL_MINOR_VERSION;
  init.max_readahead = 1 << 17;
  init.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS | FUSE_WRITEBACK_CACHE |
               FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 |
               FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT | FUSE_MAX_PAGES | FUSE_INIT_EXT;
  send(FUSE_INIT, 0, bytes_of_struct(init));
  FuseReply reply = receive();
  CHECK(reply.error == 0 && reply.body.size() == sizeof(fuse_init_out));
}

void FuseClient::send(uint32_t opcode, uint64_t node, std::string_view body) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof header + body.size());
  header.opcode = opcode;
  header.unique = ++unique_;
  header.nodeid = node;
  std::string message = bytes_of_struct(header) + std::string(body);
  ssize_t sent = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL);
  CHECK(sent == static_cast<ssize_t>(message.size()));
}

FuseReply FuseClient::receive() {
  while (true) {
    ssize_t got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got >= static_cast<ssize_t>(sizeof(fuse_out_header)));
    CHECK(got <= static_cast<ssize_t>(buffer_.size()));
    std::string_view message(buffer_.data(), static_cast<size_t>(got));
    auto header = struct_at<fuse_out_header>(message);
    CHECK(header.len == message.size());
    if (header.unique == 0) {  // a notification
      CHECK(header.error > 0 && header.error < FUSE_NOTIFY_CODE_MAX);
      continue;
    }
    CHECK(header.unique == unique_ && header.error <= 0 && header.error >= -error_max);
    return {-header.error, std::string(message.substr(sizeof header))};
  }
}

FuseReply FuseClient::ask(uint32_t opcode, uint64_t node, std::string_view body) {
  send(opcode, node, body);
  FuseReply reply = receive();
  check_size(opcode, body, reply);
  bool entry = opcode == FUSE_LOOKUP || opcode == FUSE_MKNOD || opcode == FUSE_MKDIR ||
               opcode == FUSE_SYMLINK || opcode == FUSE_LINK || opcode == FUSE_TMPFILE;
  if (reply.error == 0 && entry) hold(reply.body);
  if (reply.error != 0 || opcode != FUSE_READDIRPLUS) return reply;
  for (size_t at = 0; at < reply.body.size();) {
    hold(reply.body.substr(at));
    auto dirent = struct_at<fuse_dirent>(reply.body, at + sizeof(fuse_entry_out));
    at += sizeof(fuse_entry_out) + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + dirent.namelen);
  }
  return reply;
}

void FuseClient::hold(const std::string& entry) {
  auto found = struct_at<fuse_entry_out>(entry);
  if (found.nodeid == 0) return;  // there is nothing, or it is a listing's name and type alone
  CHECK((found.attr.mode & S_IFMT) != 0 && found.attr.ino != 0);
  if (found.nodeid != FUSE_ROOT_ID) ++held_[found.nodeid];
}

void FuseClient::forget(uint64_t node, uint64_t count) {
  auto held = held_.find(node);
  if (node == FUSE_ROOT_ID || held == held_.end()) return;
  fuse_forget_in body{.nlookup = std::min(count, held->second)};
  held->second -= body.nlookup;
  if (held->second == 0) held_.erase(held);
  send(FUSE_FORGET, node, bytes_of_struct(body));
}

uint64_t FuseClient::node(uint64_t number) const {
  return std::next(held_.begin(), static_cast<ptrdiff_t>(number % held_.size()))->first;
}

std::vector<std::string> FuseClient::tree() {
  std::vector<std::string> lines;
  list(FUSE_ROOT_ID, "", lines);
  std::ranges::sort(lines);
  return lines;
}

void FuseClient::list(uint64_t directory, const std::string& path,
                      std::vector<std::string>& lines) {
  CHECK(std::ranges::count(path, '/') <= static_cast<ptrdiff_t>(depth_max));
  fuse_read_in where{};
  where.size = listing_bytes;
  while (true) {
    FuseReply reply = ask(FUSE_READDIRPLUS, directory, bytes_of_struct(where));
    CHECK(reply.error == 0);
    if (reply.body.empty()) return;
    for (size_t at = 0; at < reply.body.size();) {
      auto dirent = struct_at<fuse_dirent>(reply.body, at + sizeof(fuse_entry_out));
      std::string name =
          reply.body.substr(at + sizeof(fuse_entry_out) + FUSE_NAME_OFFSET, dirent.namelen);
      at += sizeof(fuse_entry_out) + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + dirent.namelen);
      where.offset = dirent.off;
      if (name == "." || name == "..") continue;
      FuseReply found = ask(FUSE_LOOKUP, directory, name + '\0');
      CHECK(found.error == 0);
      auto entry = struct_at<fuse_entry_out>(found.body);
      CHECK(entry.nodeid != 0);
      bool is_directory = S_ISDIR(entry.attr.mode);
      lines.push_back(path + "/" + name + " " + std::to_string(entry.attr.mode) + " " +
                      std::to_string(entry.attr.uid) + ":" + std::to_string(entry.attr.gid) + " " +
                      std::to_string(is_directory ? 0 : entry.attr.size) + " " +
                      std::to_string(entry.attr.nlink));
      if (is_directory) list(entry.nodeid, path + "/" + name, lines);
    }
  }
}

}  // namespace lyr::fuzz
