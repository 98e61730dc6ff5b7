// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stream of FUSE requests to the union's server, over an image's tree and an upper
// directory: each gets one well-formed reply (fuse_client.h). Then the connection ends, and a
// second server of the same upper shows the tree that the first one showed. Nothing but the upper
// and its work directory changes. The requests are framed as the kernel frames them, and name only
// nodes that the server gave; what they ask of these may make no sense.
#include <fuse_log.h>
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "fuzz/bytes.h"
#include "fuzz/fuse_client.h"
#include "fuzz/scratch_store.h"
#include "unionfs/unionfs.h"

namespace {

using namespace lyr;
using fuzz::Bytes;
using fuzz::bytes_of_struct;

constexpr int requests_max = 200;

// A server that is not root, not even of a user namespace, cannot reach what has no permissions.
uint32_t mode_of(Bytes& bytes) { return (bytes.word() & 07777u) | (::geteuid() == 0 ? 0 : 0700); }

std::string xattr_name(Bytes& bytes) {
  static constexpr const char* names[] = {"user.a",
                                          "user.overlay.opaque",
                                          "user.overlay.redirect",
                                          "user.overlay.whiteout",
                                          "user.containers.override_stat",
                                          "user.overlay.origin",
                                          "security.capability",
                                          "trusted.overlay.opaque",
                                          "system.posix_acl_access"};
  uint8_t choice = bytes.byte();
  return choice % 12 < std::size(names) ? names[choice % 12] : "user." + bytes.name();
}

// A request of one kind; its body out of the bytes.
struct Kind {
  uint32_t opcode;
  std::string (*body)(Bytes& bytes, const fuzz::FuseClient& client);
};

using Client = fuzz::FuseClient;

std::string a_name(Bytes& bytes, const Client&) { return bytes.name() + '\0'; }
std::string nothing(Bytes&, const Client&) { return {}; }
std::string zeros(Bytes&, const Client&) { return std::string(64, '\0'); }

std::string setattr(Bytes& bytes, const Client&) {
  fuse_setattr_in body{};
  body.valid = bytes.word() & ~(FATTR_FH | FATTR_LOCKOWNER);
  body.size = bytes.size() % (1 << 20);
  body.mode = mode_of(bytes);
  body.uid = bytes.word();
  body.gid = bytes.byte();
  body.atime = body.mtime = bytes.size();
  body.atimensec = body.mtimensec = bytes.word();
  return bytes_of_struct(body);
}
std::string mknod(Bytes& bytes, const Client&) {
  static constexpr uint32_t types[] = {S_IFREG, S_IFREG, S_IFREG,  S_IFIFO,
                                       S_IFCHR, S_IFBLK, S_IFSOCK, S_IFREG};
  fuse_mknod_in body{};
  body.mode = types[bytes.byte() % std::size(types)];
  body.mode |= mode_of(bytes);
  body.rdev = bytes.byte();
  return bytes_of_struct(body) + bytes.name() + '\0';
}
std::string mkdir(Bytes& bytes, const Client&) {
  fuse_mkdir_in body{};
  body.mode = mode_of(bytes);
  return bytes_of_struct(body) + bytes.name() + '\0';
}
std::string symlink(Bytes& bytes, const Client&) {
  std::string name = bytes.name() + '\0';
  std::string target = bytes.byte() % 2 == 0 ? "../../../tmp/" + bytes.name() : bytes.name();
  return name + target + '\0';
}
std::string rename(Bytes& bytes, const Client& client) {
  fuse_rename2_in body{};
  body.newdir = client.node(bytes.byte());
  body.flags = bytes.byte() % 8;
  std::string from = bytes.name() + '\0';
  return bytes_of_struct(body) + from + bytes.name() + '\0';
}
std::string link(Bytes& bytes, const Client& client) {
  fuse_link_in body{.oldnodeid = client.node(bytes.byte())};
  return bytes_of_struct(body) + bytes.name() + '\0';
}
std::string read(Bytes& bytes, const Client&) {
  fuse_read_in body{};
  body.offset = bytes.size();
  body.size = bytes.word();
  return bytes_of_struct(body);
}
std::string write(Bytes& bytes, const Client&) {
  fuse_write_in body{};
  body.offset = bytes.size() % (1 << 20);
  body.write_flags = bytes.byte() & (FUSE_WRITE_CACHE | FUSE_WRITE_KILL_SUIDGID);
  std::string data = bytes.content(255);
  body.size = static_cast<uint32_t>(data.size());
  return bytes_of_struct(body) + data;
}
std::string fsync(Bytes& bytes, const Client&) {
  fuse_fsync_in body{};
  body.fsync_flags = bytes.byte() & 1;
  return bytes_of_struct(body);
}
std::string setxattr(Bytes& bytes, const Client&) {
  std::string name = xattr_name(bytes) + '\0';
  std::string value = bytes.content(64);
  uint32_t head[2] = {static_cast<uint32_t>(value.size()), bytes.byte() % 4u};
  return bytes_of_struct(head) + name + value;
}
std::string getxattr(Bytes& bytes, const Client&) {
  fuse_getxattr_in body{};
  body.size = bytes.byte() % 2 == 0 ? 0 : bytes.word();
  return bytes_of_struct(body) + xattr_name(bytes) + '\0';
}
std::string listxattr(Bytes& bytes, const Client&) {
  fuse_getxattr_in body{};
  body.size = bytes.byte() % 2 == 0 ? 0 : bytes.word();
  return bytes_of_struct(body);
}
std::string removexattr(Bytes& bytes, const Client&) { return xattr_name(bytes) + '\0'; }
std::string fallocate(Bytes& bytes, const Client&) {
  fuse_fallocate_in body{};
  body.offset = bytes.size() % (1 << 20);
  body.length = bytes.word();
  body.mode = bytes.byte() & 0x7f;
  return bytes_of_struct(body);
}
std::string lseek(Bytes& bytes, const Client&) {
  fuse_lseek_in body{};
  body.offset = bytes.size();
  body.whence = bytes.byte() % 2 == 0 ? SEEK_DATA : SEEK_HOLE;
  return bytes_of_struct(body);
}
std::string copy_range(Bytes& bytes, const Client& client) {
  fuse_copy_file_range_in body{};
  body.off_in = bytes.size() % (1 << 20);
  body.nodeid_out = client.node(bytes.byte());
  body.off_out = bytes.size() % (1 << 20);
  body.len = bytes.word();
  return bytes_of_struct(body);
}
std::string tmpfile(Bytes& bytes, const Client&) {
  fuse_create_in body{};
  body.mode = S_IFREG | mode_of(bytes);
  body.flags = O_RDWR;
  return bytes_of_struct(body) + "#1" + '\0';
}

std::string file_flags(Bytes& bytes, const Client&) {
  static constexpr uint32_t commands[] = {FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR,
                                          FS_IOC_FSSETXATTR};
  fuse_ioctl_in body{};
  uint8_t choice = bytes.byte();
  body.cmd = choice < 252 ? commands[choice % 4] : bytes.word();
  std::string input = bytes.content(64);
  body.in_size = static_cast<uint32_t>(input.size());
  body.out_size = bytes.byte();
  return bytes_of_struct(body) + input;
}

constexpr Kind kinds[] = {
    {FUSE_LOOKUP, a_name},
    {FUSE_GETATTR, [](Bytes&, const Client&) { return bytes_of_struct(fuse_getattr_in{}); }},
    {FUSE_SETATTR, setattr},
    {FUSE_READLINK, nothing},
    {FUSE_SYMLINK, symlink},
    {FUSE_MKNOD, mknod},
    {FUSE_MKDIR, mkdir},
    {FUSE_UNLINK, a_name},
    {FUSE_RMDIR, a_name},
    {FUSE_RENAME2, rename},
    {FUSE_LINK, link},
    {FUSE_OPEN, [](Bytes&, const Client&) { return bytes_of_struct(fuse_open_in{}); }},
    {FUSE_READ, read},
    {FUSE_WRITE, write},
    {FUSE_STATFS, nothing},
    {FUSE_FSYNC, fsync},
    {FUSE_FSYNCDIR, fsync},
    {FUSE_SETXATTR, setxattr},
    {FUSE_GETXATTR, getxattr},
    {FUSE_LISTXATTR, listxattr},
    {FUSE_REMOVEXATTR, removexattr},
    {FUSE_FALLOCATE, fallocate},
    {FUSE_LSEEK, lseek},
    {FUSE_COPY_FILE_RANGE, copy_range},
    {FUSE_TMPFILE, tmpfile},
    {FUSE_READDIR, read},
    {FUSE_READDIRPLUS, read},
    {FUSE_IOCTL, file_flags},
    {FUSE_ACCESS, zeros},
    {FUSE_GETLK, zeros},
    {FUSE_SYNCFS, zeros},
};

void run(Client& client, Bytes& bytes) {
  for (int i = 0; i < requests_max && !bytes.empty(); ++i) {
    uint8_t choice = bytes.byte();
    uint64_t node = client.node(bytes.byte());
    if (choice >= 248) {
      client.forget(node, choice == 248 ? UINT64_MAX : 1);
      continue;
    }
    const Kind& kind = kinds[choice % std::size(kinds)];
    client.ask(kind.opcode, node, kind.body(bytes, client));
  }
}

// The image that all runs have below them.
class Image {
 public:
  Image() {
    fuse_set_log_func([](enum fuse_log_level, const char*, va_list) {});
    auto import = scratch_.store().begin_import();
    CHECK(import.has_value());
    auto layer = import->begin_layer();
    CHECK(layer.has_value());
    store::LayerTreeBuilder& tree = layer->tree();
    store::NodeAttr attr{.mode = 0755, .xattrs = {{"user.a", "lower"}}};
    CHECK(tree.add_directory("d/deep/e", attr) && tree.add_directory("empty", attr));
    const std::string content = "the content of a file" + std::string(5000, '.');
    auto bytes = std::as_bytes(std::span(content));
    for (const char* name : {"f", "a", "d/f", "d/deep/e/a"}) {
      CHECK(layer->begin_file(content.size()) && layer->file_bytes(bytes));
      auto stored = layer->end_file();
      attr.mode = 04755;
      CHECK(stored && tree.add_file(name, attr, std::move(*stored)));
    }
    CHECK(tree.add_hard_link("h", "f") && tree.add_hard_link("d/h", "f"));
    CHECK(tree.add_symlink("l", attr, "d/f") && tree.add_symlink("d/l", attr, "/tmp"));
    CHECK(tree.add_special("c", attr, S_IFCHR, 1, 3) && tree.add_special("p", attr, S_IFIFO, 0, 0));
    const std::string all = content + content + content + content;  // the "tar": just the content
    store::LayerRecord record;
    record.diff_id = Digest::of(all);
    CHECK(layer->finish(record).has_value());
    store::ImageRecord image;
    image.config_json = "{}";
    image.id = Digest::of(image.config_json);
    image.diff_ids = {record.diff_id};
    image.chain_id = store::chain_id_of(image.diff_ids);
    CHECK(import->commit({&image, 1}, {}).has_value());
    tree_.emplace(std::move(*scratch_.store().open_image_tree(image.chain_id)));
    CHECK(sys::replace_file_at(scratch_.directory(), "beside", "untouched", 0644).has_value());
  }

  fuzz::ScratchStore& scratch() { return scratch_; }
  const store::Tree& tree() const { return *tree_; }

  void check_beside() {
    auto text = sys::read_file_at(scratch_.directory(), "beside");
    auto status = sys::stat_at(scratch_.directory(), "beside");
    CHECK(text && *text == "untouched" && status && status->st_nlink == 1);
    CHECK((status->st_mode & 07777) == 0644);
    size_t names = 0;
    CHECK(sys::read_directory(scratch_.directory(), [&](const auto&) { return ++names > 0; }));
    CHECK(names == 3);  // it, the store, and what the runs have
  }

 private:
  fuzz::ScratchStore scratch_;
  std::optional<store::Tree> tree_;
};

void check_same(const std::vector<std::string>& lines, const std::vector<std::string>& before) {
  for (size_t i = 0; i < std::min(lines.size(), before.size()); ++i) {
    if (lines[i] == before[i]) continue;
    std::fprintf(stderr, "then: %s\nnow:  %s\n", before[i].c_str(), lines[i].c_str());
    break;
  }
  CHECK(lines == before);
}

// Serves what `ask` asks.
template <class Ask>
void with_server(Image& image, const Fd& directory, uint8_t choice, Ask ask) {
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  unionfs::Options options;
  options.lower = unionfs::lower_from_tree(image.scratch().store(), image.tree());
  options.upper = std::move(*sys::open_at(directory, "upper", O_RDONLY | O_DIRECTORY));
  options.work = std::move(*sys::open_at(directory, "work", O_RDONLY | O_DIRECTORY));
  // Others than root cannot give files away.
  if ((choice & 1) != 0 || ::geteuid() != 0) options.ownership = unionfs::Ownership::in_xattr;
  options.durable = (choice & 2) != 0;
  options.redirects = (choice & 4) == 0;
  options.whiteout_files = (choice & 8) != 0;
  if ((choice & 16) == 0) options.acls = unionfs::MappedIds();
  options.file_flags = (choice & 32) != 0;
  std::thread server([&] {
    auto served = unionfs::serve(Fd(ends[1]), std::move(options));
    // The end of a socket is no unmount: libfuse takes it for a request that is too short.
    CHECK(served || served.error().code == EIO);
  });
  {
    Client client{Fd(ends[0])};
    ask(client);
  }
  server.join();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Image image;
  Bytes bytes({reinterpret_cast<const char*>(data), size});
  uint8_t choice = bytes.byte();
  image.scratch().fence().run([&] {
    const Fd& scratch = image.scratch().directory();
    for (const char* name : {"run/upper", "run/work"}) {
      CHECK(sys::mkdir_all_at(scratch, name, 0755).has_value());
    }
    auto directory = sys::open_at(scratch, "run", O_RDONLY | O_DIRECTORY);
    CHECK(directory.has_value());
    std::vector<std::string> before;
    with_server(image, *directory, choice, [&](Client& client) {
      run(client, bytes);
      before = client.tree();
    });
    with_server(image, *directory, choice,
                [&](Client& client) { check_same(client.tree(), before); });
    CHECK(sys::remove_all_at(*directory, "upper") && sys::remove_all_at(*directory, "work"));
    image.check_beside();
  });
  return 0;
}
