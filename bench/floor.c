// SPDX-License-Identifier: Apache-2.0
// What one FUSE request takes at the least: fstat of a file whose attributes the kernel may not
// keep, answered by a server that does nothing else. With a path, fstat of that one, to compare
// with (`lyr mount -o timeout=0`).
//
//   bench_floor            as root: both on one CPU, then each on its own
//   bench_floor FILE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUESTS = 200000, WARM_UP = 2000, FILE_NODE = 2, MINOR_MAX = 40 };
enum { BUFFER_BYTES = (1 << 17) + 4096 };

static char buffer[BUFFER_BYTES] __attribute__((aligned(8)));

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) die("sched_setaffinity");
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void measure(const char* what, const char* path) {
  int file = open(path, O_PATH);
  if (file < 0) die(path);
  struct stat status;
  double begun = 0;
  for (int i = -WARM_UP; i < REQUESTS; ++i) {
    if (i == 0) begun = now_us();
    if (fstat(file, &status) != 0) die("fstat");
  }
  printf("%s%.2f us\n", what, (now_us() - begun) / REQUESTS);
  close(file);
}

static void answer(int device, uint64_t unique, int error, const void* body, size_t bytes) {
  char reply[512];
  struct fuse_out_header header = {(uint32_t)(sizeof header + bytes), error, unique};
  memcpy(reply, &header, sizeof header);
  if (bytes > 0) memcpy(reply + sizeof header, body, bytes);
  if (write(device, reply, header.len) < 0 && errno != ENOENT) die("answer");
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
  attr.mode = node == FILE_NODE ? S_IFREG | 0644 : S_IFDIR | 0755;
  return attr;
}

static void serve(int device) {
  for (;;) {
    if (read(device, buffer, sizeof buffer) < 0) {
      if (errno == ENOENT || errno == EINTR) continue;
      _exit(errno == ENODEV ? 0 : 1);
    }
    const struct fuse_in_header* asked = (const void*)buffer;
    if (asked->opcode == FUSE_FORGET || asked->opcode == FUSE_BATCH_FORGET) continue;
    if (asked->opcode == FUSE_INIT) {
      const struct fuse_init_in* init = (const void*)(asked + 1);
      struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .max_write = 1 << 17};
      out.minor = init->minor < MINOR_MAX ? init->minor : MINOR_MAX;
      answer(device, asked->unique, 0, &out, sizeof out);
    } else if (asked->opcode == FUSE_LOOKUP) {
      struct fuse_entry_out out = {.nodeid = FILE_NODE, .attr = attributes(FILE_NODE)};
      answer(device, asked->unique, 0, &out, sizeof out);
    } else if (asked->opcode == FUSE_GETATTR) {
      struct fuse_attr_out out = {.attr = attributes(asked->nodeid)};
      answer(device, asked->unique, 0, &out, sizeof out);
    } else {
      answer(device, asked->unique, -ENOSYS, NULL, 0);
    }
  }
}

static void measure_bare_server(const char* what, int servers_cpu, int callers_cpu) {
  char target[] = "/tmp/lyr-floor.XXXXXX";
  if (mkdtemp(target) == NULL) die("mkdtemp");
  int device = open("/dev/fuse", O_RDWR);
  if (device < 0) die("/dev/fuse");
  char options[64];
  char file[64];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  snprintf(file, sizeof file, "%s/file", target);
  if (mount("floor", target, "fuse.floor", 0, options) != 0) die("mount");
  pid_t server = fork();
  if (server < 0) die("fork");
  if (server == 0) {
    pin(servers_cpu);
    serve(device);
  }
  close(device);
  pin(callers_cpu);
  measure(what, file);
  if (umount(target) != 0) die("umount");
  waitpid(server, NULL, 0);
  rmdir(target);
}

int main(int argc, char** argv) {
  if (argc == 2) {
    measure("", argv[1]);
    return 0;
  }
  measure_bare_server("one CPU:  ", 0, 0);
  measure_bare_server("two CPUs: ", 1, 0);
  return 0;
}
