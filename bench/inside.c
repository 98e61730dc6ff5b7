// SPDX-License-Identifier: Apache-2.0
// Runs inside a container and times file-system work there, so that starting the container is not
// counted. Prints a line `NAME MILLISECONDS` for each piece of work; static, as images vary.
//
//   inside find DIR | stat DIR | du DIR | whole DIR | again DIR | first DIR | read DIR |
//          write FILE | seq FILE | cold FILE | rread FILE | rwrite FILE | byte FILE |
//          untar TAR DIR | rm DIR | chmod DIR | rmlow DIR | shell NAME RUNS COMMAND ...
//   in the order given; RUNS come before the one that is timed
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATHS_MAX = 5000, STATS = 100000, OPEN_DIRECTORIES = 32 };
enum { LARGE_BYTES = 256 << 20, BLOCK_BYTES = 4096, RANDOM_BLOCKS = 20000 };

static char* paths[PATHS_MAX];
static int path_count;
static char buffer[1 << 16];

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void report(const char* name, double begun) { printf("%s %.3f\n", name, now_ms() - begun); }

// Runs a program of the image; what it prints is dropped.
static void spawn(char* const argv[]) {
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY | O_CREAT, 0666);
    if (null < 0 || dup2(null, 1) < 0) die("/dev/null");
    execvp(argv[0], argv);
    die(argv[0]);
  }
  int status;
  if (waitpid(child, &status, 0) != child) die("waitpid");
  if (status == 0) return;
  fprintf(stderr, "inside: %s failed (status %d)\n", argv[0], status);
  exit(1);
}

// Prints NAME's time of its own, and gives how many arguments it took; 0: they are too few.
static int shell(char** arguments, int count) {
  if (count < 3) return 0;
  char* command[] = {"sh", "-c", arguments[2], NULL};
  for (int runs = atoi(arguments[1]); runs > 0; --runs) spawn(command);
  double begun = now_ms();
  spawn(command);
  report(arguments[0], begun);
  return 3;
}

static int want_type;  // of what `collect` keeps; 0: anything

static int collect(const char* path, const struct stat* info, int type, struct FTW* at) {
  (void)type, (void)at;
  if (want_type != 0 && (int)(info->st_mode & S_IFMT) != want_type) return 0;
  if (path_count == PATHS_MAX) return 1;
  paths[path_count] = strdup(path);
  if (paths[path_count++] == NULL) die("strdup");
  return 0;
}

static void collect_paths(const char* dir, int type) {
  path_count = 0;
  want_type = type;
  if (nftw(dir, collect, OPEN_DIRECTORIES, FTW_PHYS | FTW_MOUNT) < 0) die(dir);
  if (path_count == 0) {
    fprintf(stderr, "inside: nothing in %s\n", dir);
    exit(1);
  }
}

static void stat_paths(int count) {
  struct stat info;
  for (int i = 0; i < count; ++i) {
    if (lstat(paths[i % path_count], &info) != 0) die(paths[i % path_count]);
  }
}

static void read_file(const char* path) {
  int file = open(path, O_RDONLY);
  if (file < 0) die(path);
  ssize_t got;
  while ((got = read(file, buffer, sizeof buffer)) > 0) {
  }
  if (got < 0 || close(file) != 0) die(path);
}

static void read_paths(void) {
  for (int i = 0; i < path_count; ++i) read_file(paths[i]);
}

static int read_found(const char* path, const struct stat* info, int type, struct FTW* at) {
  (void)type, (void)at;
  if (S_ISREG(info->st_mode)) read_file(path);
  return 0;
}

// As tar does: each file is read where the walk meets it.
static void read_tree(const char* dir) {
  if (nftw(dir, read_found, OPEN_DIRECTORIES, FTW_PHYS | FTW_MOUNT) < 0) die(dir);
}

static void write_large(int file) {
  for (size_t done = 0; done < LARGE_BYTES; done += sizeof buffer) {
    buffer[0] = (char)done;
    if (write(file, buffer, sizeof buffer) != (ssize_t)sizeof buffer) die("write");
  }
}

static void read_large(int file) {
  ssize_t got;
  while ((got = read(file, buffer, sizeof buffer)) > 0) {
  }
  if (got < 0) die("read");
}

// The same blocks each time.
static void random_blocks(int file, int writing) {
  srandom(1);
  for (int i = 0; i < RANDOM_BLOCKS; ++i) {
    off_t at = (off_t)BLOCK_BYTES * (random() % (LARGE_BYTES / BLOCK_BYTES));
    ssize_t done =
        writing ? pwrite(file, buffer, BLOCK_BYTES, at) : pread(file, buffer, BLOCK_BYTES, at);
    if (done != BLOCK_BYTES) die("random blocks");
  }
}

// Whether it is a piece of work on one large file, and does it.
static int on_large(const char* work, const char* path) {
  int writing = strcmp(work, "write") == 0;
  int at_random = strcmp(work, "rread") == 0 || strcmp(work, "rwrite") == 0;
  int one_byte = strcmp(work, "byte") == 0;
  int reading = strcmp(work, "seq") == 0 || strcmp(work, "cold") == 0;
  if (!writing && !at_random && !one_byte && !reading) return 0;
  int file = open(path, reading ? O_RDONLY : writing ? O_RDWR | O_CREAT : O_RDWR, 0644);
  if (file < 0) die(path);
  if (writing) {
    write_large(file);
  } else if (at_random) {
    random_blocks(file, work[1] == 'w');
  } else if (one_byte) {
    struct stat info;
    if (fstat(file, &info) != 0 || pwrite(file, buffer, 1, info.st_size / 2) != 1) die("pwrite");
  } else {
    read_large(file);
  }
  if (close(file) != 0) die(path);
  return 1;
}

static void untar(char* tar, const char* dir, const char* name) {
  char target[256];
  snprintf(target, sizeof target, "%s/%s", dir, name);
  if (mkdir(target, 0755) != 0) die(target);
  spawn((char*[]){"tar", "-xf", tar, "-C", target, NULL});
}

int main(int argc, char** argv) {
  for (int i = 1; i + 1 < argc;) {
    const char* work = argv[i++];
    int taken = strcmp(work, "shell") == 0 ? shell(argv + i, argc - i) : 0;
    i += taken;
    if (taken > 0) continue;
    char* dir = argv[i++];
    double begun = now_ms();
    if (strcmp(work, "find") == 0) {
      spawn((char*[]){"find", dir, "-xdev", NULL});
    } else if (strcmp(work, "stat") == 0) {
      collect_paths(dir, 0);
      stat_paths(path_count);
      begun = now_ms();
      stat_paths(STATS);
    } else if (strcmp(work, "du") == 0) {
      char* du[] = {"du", "-sx", dir, NULL};
      spawn(du);
      spawn(du);  // a directory that was listed once may still be asked for its attributes
      begun = now_ms();
      spawn(du);
    } else if (strcmp(work, "whole") == 0 || strcmp(work, "again") == 0) {
      read_tree(dir);
    } else if (strcmp(work, "first") == 0) {
      collect_paths(dir, S_IFREG);
      begun = now_ms();
      read_paths();
    } else if (on_large(work, dir)) {
      // done
    } else if (strcmp(work, "read") == 0) {
      collect_paths(dir, S_IFREG);
      read_paths();
      begun = now_ms();
      read_paths();
    } else if (strcmp(work, "untar") == 0 && i < argc) {
      char* tar = dir;
      dir = argv[i++];
      if (mkdir(dir, 0755) != 0) die(dir);
      begun = now_ms();
      untar(tar, dir, "1");
      untar(tar, dir, "2");
    } else if (strcmp(work, "chmod") == 0) {
      spawn((char*[]){"chmod", "-R", "g-w,o-rx", dir, NULL});
    } else if (strcmp(work, "rm") == 0 || strcmp(work, "rmlow") == 0) {
      spawn((char*[]){"rm", "-rf", dir, NULL});
    } else {
      fprintf(stderr, "inside: no such work: %s\n", work);
      return 2;
    }
    report(work, begun);
  }
  return 0;
}
