// SPDX-License-Identifier: Apache-2.0
// Runs when lyr is built: compiles seccomp_table.h to BPF with libseccomp, once for each level and
// id map, and prints it as C++ arrays. Compiling at start would cost 2 to 17 ms a container.
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "sandbox/seccomp_table.h"

namespace lyr::sandbox {
namespace {

// Arguments that the kernel takes as int: the upper half of the register is not looked at by it, so
// it must not be by us.
constexpr uint64_t int_mask = 0xffffffff;

constexpr uint64_t namespace_flags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// The families that programs use. Kernel bugs live in the others (AF_ALG, AF_VSOCK, AF_RXRPC, ...).
constexpr int socket_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_PACKET};
// Netlink protocols: ROUTE, SOCK_DIAG, AUDIT, KOBJECT_UEVENT, GENERIC.
constexpr int netlink_protocols[] = {0, 4, 9, 15, 16};
constexpr int personalities[] = {0, 0x8, 0x20000, 0x20008, -1};

void require(int result, const std::string& what) {
  if (result == 0) return;
  std::fprintf(stderr, "seccomp_compile: %s: error %d\n", what.c_str(), -result);
  std::exit(1);
}

std::vector<std::string> words(const char* text) {
  std::istringstream stream(text);
  std::vector<std::string> list;
  for (std::string word; stream >> word;) list.push_back(word);
  return list;
}

// Negative: this architecture has no such call.
int number_of(const std::string& name) {
  for (const NewSyscall& call : new_syscalls) {
    if (name == call.name) return call.number;
  }
  return seccomp_syscall_resolve_name(name.c_str());
}

void allow(scmp_filter_ctx filter, const std::string& name) {
  int number = number_of(name);
  if (number == __NR_SCMP_ERROR) require(-ENOENT, name);
  if (number >= 0) require(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), name);
}

void answer(scmp_filter_ctx filter, const std::string& name, uint16_t code) {
  int number = number_of(name);
  if (number >= 0) require(seccomp_rule_add(filter, SCMP_ACT_ERRNO(code), number, 0), name);
}

void allow_masked(scmp_filter_ctx filter, const char* name, unsigned argument, uint64_t mask,
                  uint64_t value) {
  scmp_arg_cmp comparison{argument, SCMP_CMP_MASKED_EQ, mask, value};
  require(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number_of(name), 1, &comparison), name);
}

void add_sockets(scmp_filter_ctx filter, Level level) {
  for (int family : socket_families)
    allow_masked(filter, "socket", 0, int_mask, static_cast<uint64_t>(family));
  allow_masked(filter, "socketpair", 0, int_mask, AF_UNIX);
  if (level > Level::standard) {
    // A container with CAP_NET_ADMIN has a use for netfilter, xfrm and the rest.
    allow_masked(filter, "socket", 0, int_mask, AF_NETLINK);
    return;
  }
  for (int protocol : netlink_protocols) {
    scmp_arg_cmp comparisons[] = {
        {0, SCMP_CMP_MASKED_EQ, int_mask, AF_NETLINK},
        {2, SCMP_CMP_MASKED_EQ, int_mask, static_cast<uint64_t>(protocol)}};
    require(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, comparisons),
            "socket");
  }
}

void add_ids(scmp_filter_ctx filter, bool single) {
  for (const std::string& name : words(faked_with_one_id)) {
    if (single) {
      answer(filter, name, 0);
    } else {
      allow(filter, name);
    }
  }
  if (!single) {
    allow(filter, "mknod");
    allow(filter, "mknodat");
    return;
  }
  // Fifos, sockets and files can be made; devices are claimed to be.
  for (uint64_t kind : {S_IFREG, S_IFIFO, S_IFSOCK, 0}) {
    allow_masked(filter, "mknod", 1, S_IFMT, kind);
    allow_masked(filter, "mknodat", 2, S_IFMT, kind);
  }
  for (uint64_t kind : {S_IFCHR, S_IFBLK}) {
    scmp_arg_cmp mknod_mode{1, SCMP_CMP_MASKED_EQ, S_IFMT, kind};
    scmp_arg_cmp mknodat_mode{2, SCMP_CMP_MASKED_EQ, S_IFMT, kind};
    require(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mknod), 1, &mknod_mode),
            "mknod");
    require(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mknodat), 1, &mknodat_mode),
            "mknodat");
  }
}

void add_rules(scmp_filter_ctx filter, Level level, bool single) {
  for (const SyscallRow& row : syscall_rows) {
    if (row.level > level) continue;
    for (const std::string& name : words(row.names)) allow(filter, name);
  }
  for (int value : personalities)
    allow_masked(filter, "personality", 0, int_mask, static_cast<uint32_t>(value));
  add_sockets(filter, level);
  add_ids(filter, single);
  if (level == Level::admin) {
    allow(filter, "clone");
    return;
  }
  allow_masked(filter, "clone", 0, namespace_flags, 0);
  // Its flags are in memory, where a filter cannot see them: glibc then uses clone.
  answer(filter, "clone3", ENOSYS);
}

std::vector<sock_filter> compile(Level level, bool single) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) require(-ENOMEM, "seccomp_init");
  require(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)), "bad arch");
  require(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
  add_rules(filter, level, single);
  int file = ::memfd_create("bpf", 0);
  require(seccomp_export_bpf(filter, file), "export");
  seccomp_release(filter);
  off_t bytes = ::lseek(file, 0, SEEK_END);
  std::vector<sock_filter> program(static_cast<size_t>(bytes) / sizeof(sock_filter));
  if (::pread(file, program.data(), static_cast<size_t>(bytes), 0) != bytes) require(-EIO, "read");
  ::close(file);
  return program;
}

// What libseccomp cannot say: other architectures (int 0x80, x32) and calls newer than the table
// get ENOSYS; typing into the terminal (CVE-2017-5226) is refused by the low half of the request,
// which is all that the kernel reads.
std::vector<sock_filter> prologue(uint32_t arch) {
  constexpr auto refuse = [](uint32_t code) -> sock_filter {
    return BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code);
  };
  auto load = [](size_t offset) -> sock_filter {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
  };
  constexpr size_t request_offset = offsetof(seccomp_data, args) + sizeof(uint64_t);
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  return {
      load(offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 7),
      load(offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_known_syscall, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 5),
      load(request_offset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 0, 2),
      refuse(EPERM),
      refuse(ENOSYS),
  };
}

void print(Level level, bool single) {
  std::vector<sock_filter> program = prologue(seccomp_arch_native());
  for (const sock_filter& instruction : compile(level, single)) program.push_back(instruction);
  std::printf("constexpr sock_filter filter_%d_%d[] = {", static_cast<int>(level), single ? 1 : 0);
  for (size_t i = 0; i < program.size(); ++i) {
    const sock_filter& at = program[i];
    std::printf("%s{0x%x, %u, %u, 0x%x},", i % 6 == 0 ? "\n    " : " ", at.code, at.jt, at.jf,
                at.k);
  }
  std::printf("\n};\n");
}

}  // namespace
}  // namespace lyr::sandbox

int main() {
  using namespace lyr::sandbox;
  std::printf("// Made by sandbox/seccomp_compile.cpp from sandbox/seccomp_table.h.\n");
  for (int level = 0; level < levels; ++level) {
    print(static_cast<Level>(level), false);
    print(static_cast<Level>(level), true);
  }
  return 0;
}
