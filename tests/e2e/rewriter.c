// SPDX-License-Identifier: Apache-2.0
// Fills a file and writes to pages of it at random, by calls and by a mapping in turn, has it
// written to the disk and reads all of it:
//
//   rewriter FILE MEGABYTES TIMES
//
// Exit code 0: everything is as it was written. Static, so that any image can run it.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { page_bytes = 4096 };

static void must(int done, const char* what) {
  if (done) return;
  perror(what);
  exit(1);
}

// What a page holds after it was written for the `time`th time of all; 0: as it was at first.
static const char* content(size_t page, uint32_t time) {
  static uint32_t words[page_bytes / sizeof(uint32_t)];
  for (size_t i = 0; i < page_bytes / sizeof(uint32_t); ++i)
    words[i] = (uint32_t)page * 2654435761u + time + (uint32_t)i;
  return (const char*)words;
}

static size_t next_random(size_t limit) {
  static uint64_t state = 88172645463325252u;  // xorshift64: Marsaglia, 2003
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % limit;
}

static void write_page(int file, size_t page, uint32_t time) {
  must(pwrite(file, content(page, time), page_bytes, (off_t)(page * page_bytes)) == page_bytes,
       "write");
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  size_t pages = strtoul(arguments[2], NULL, 10) * ((1 << 20) / page_bytes);
  uint32_t times = (uint32_t)strtoul(arguments[3], NULL, 10);
  int file = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  must(file >= 0, arguments[1]);
  for (size_t page = 0; page < pages; ++page) write_page(file, page, 0);
  char* mapped = mmap(NULL, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  must(mapped != MAP_FAILED, "mmap");
  must(madvise(mapped, pages * page_bytes, MADV_RANDOM) == 0, "madvise");
  uint32_t* written = calloc(pages, sizeof *written);
  must(written != NULL, "calloc");
  for (uint32_t time = 1; time <= times; ++time) {
    size_t page = next_random(pages);
    if (time % 2 == 0)
      write_page(file, page, time);
    else
      memcpy(mapped + page * page_bytes, content(page, time), page_bytes);
    written[page] = time;
  }
  must(msync(mapped, pages * page_bytes, MS_SYNC) == 0, "msync");
  must(munmap(mapped, pages * page_bytes) == 0, "munmap");
  must(fsync(file) == 0, "fsync");
  for (size_t page = 0; page < pages; ++page) {
    char found[page_bytes];
    must(pread(file, found, page_bytes, (off_t)(page * page_bytes)) == page_bytes, "read");
    if (memcmp(found, content(page, written[page]), page_bytes) == 0) continue;
    fprintf(stderr, "page %zu is not what was written\n", page);
    return 1;
  }
  return 0;
}
