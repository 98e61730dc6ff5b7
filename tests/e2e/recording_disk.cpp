// SPDX-License-Identifier: Apache-2.0
// A disk that writes down what it is told, for scripts that cut the power of a real file system.
//
//   recording_disk serve DISK LOG FILE   FILE (mounted over, by FUSE) is DISK until it is unmounted
//   recording_disk count LOG             how many writes and flushes the log has
//   recording_disk cut LOG COUNT SEED DISK
//
// `cut` does to DISK, a copy of the disk as it was when serving began, what one that lost its power
// after COUNT of them may have done: all writes before the last flush, and each later one or not,
// as SEED has it. A loop device passes a file system's flushes on as fsync; it knows no FUA, so
// that the kernel flushes instead. Log: offset:u64 bytes:u64 data, 0 bytes for a flush.
#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 17)
#include <fuse_lowlevel.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "base/sys_file.h"

namespace lyr {
namespace {

struct LogEntry {
  uint64_t offset = 0;
  uint64_t bytes = 0;  // 0: a flush
};

struct RecordingDisk {
  Fd disk;
  Fd log;
  struct stat status{};

  Result<> write(std::span<const std::byte> data, uint64_t offset) const {
    LogEntry entry{.offset = offset, .bytes = data.size()};
    TRY(sys::write_all(log, std::as_bytes(std::span(&entry, 1))));
    TRY(sys::write_all(log, data));
    return sys::pwrite_all(disk, data, offset);
  }
  Result<> flush() const {
    LogEntry entry;
    return sys::write_all(log, std::as_bytes(std::span(&entry, 1)));
  }
};

const RecordingDisk& disk_of(fuse_req_t request) {
  return *static_cast<const RecordingDisk*>(fuse_req_userdata(request));
}

int code_of(const Result<>& result) { return result ? 0 : result.error().code; }

void get_attributes(fuse_req_t request, fuse_ino_t, struct fuse_file_info*) {
  fuse_reply_attr(request, &disk_of(request).status, 3600);
}

void open_disk(fuse_req_t request, fuse_ino_t, struct fuse_file_info* info) {
  info->direct_io = 1;  // no page of it waits in the kernel
  fuse_reply_open(request, info);
}

void read_disk(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, struct fuse_file_info*) {
  std::vector<char> data(size);
  auto bytes = std::as_writable_bytes(std::span(data));
  auto got = sys::pread(disk_of(request).disk, bytes, static_cast<uint64_t>(offset));
  if (!got) {
    fuse_reply_err(request, got.error().code);
    return;
  }
  fuse_reply_buf(request, data.data(), *got);
}

void write_disk(fuse_req_t request, fuse_ino_t, const char* data, size_t size, off_t offset,
                struct fuse_file_info*) {
  auto bytes = std::as_bytes(std::span(data, size));
  auto written = disk_of(request).write(bytes, static_cast<uint64_t>(offset));
  if (!written) {
    fuse_reply_err(request, code_of(written));
    return;
  }
  fuse_reply_write(request, size);
}

void flush_disk(fuse_req_t request, fuse_ino_t, int, struct fuse_file_info*) {
  fuse_reply_err(request, code_of(disk_of(request).flush()));
}

Result<> serve(const char* disk, const char* log, const char* mountpoint) {
  RecordingDisk recording;
  recording.disk = TRY(about(sys::open(disk, O_RDWR), disk));
  recording.log = TRY(about(sys::open(log, O_WRONLY | O_CREAT | O_EXCL, 0600), log));
  recording.status = TRY(sys::stat(recording.disk));
  struct fuse_lowlevel_ops operations{};
  operations.getattr = get_attributes;
  operations.open = open_disk;
  operations.read = read_disk;
  operations.write = write_disk;
  operations.fsync = flush_disk;
  char name[] = "recording_disk";
  char* words[] = {name, nullptr};
  struct fuse_args arguments = FUSE_ARGS_INIT(1, words);
  auto* session = fuse_session_new(&arguments, &operations, sizeof operations, &recording);
  if (session == nullptr) return fail(EINVAL, "fuse_session_new");
  if (fuse_session_mount(session, mountpoint) != 0) return fail(EIO, "mount", mountpoint);
  int code = fuse_session_loop(session);  // one thread: the log has the order of the answers
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return code < 0 ? fail(-code, "fuse_session_loop") : Result<>();
}

// Calls `each` for the first `count` entries, with their data where `with_data`; how many there
// were.
using Each = std::function<Result<>(const LogEntry& entry, std::span<const std::byte> data)>;
Result<uint64_t> read_log(const char* path, uint64_t count, bool with_data, const Each& each) {
  Fd log = TRY(about(sys::open(path, O_RDONLY), path));
  auto status = TRY(sys::stat(log));
  auto end = static_cast<uint64_t>(status.st_size);
  uint64_t done = 0;
  std::vector<std::byte> data;
  LogEntry entry;
  for (uint64_t at = 0; done < count && at + sizeof entry <= end; ++done) {
    TRY(sys::pread_exactly(log, std::as_writable_bytes(std::span(&entry, 1)), at));
    at += sizeof entry;
    if (entry.bytes > end - at) break;  // being written
    data.resize(with_data ? entry.bytes : 0);
    TRY(sys::pread_exactly(log, data, at));
    at += entry.bytes;
    TRY(each(entry, data));
  }
  return done;
}

Result<> cut(const char* log, uint64_t count, uint64_t seed, const char* disk) {
  Fd file = TRY(about(sys::open(disk, O_WRONLY), disk));
  uint64_t at = 0;
  uint64_t flushed = 0;  // writes before it are on the disk
  auto look = [&](const LogEntry& entry, std::span<const std::byte>) -> Result<> {
    ++at;
    if (entry.bytes == 0) flushed = at;
    return {};
  };
  TRY(read_log(log, count, false, look));
  at = 0;
  std::mt19937_64 random(seed);
  uint64_t lost = 0;
  auto apply = [&](const LogEntry& entry, std::span<const std::byte> data) -> Result<> {
    bool survives = ++at <= flushed || (random() & 1) == 0;
    if (survives) return sys::pwrite_all(file, data, entry.offset);
    if (entry.bytes > 0) ++lost;
    return {};
  };
  TRY(read_log(log, count, true, apply));
  std::printf("%llu lost\n", static_cast<unsigned long long>(lost));
  return {};
}

Result<> run(std::span<char*> words) {
  std::string_view what = words.size() > 1 ? words[1] : "";
  if (what == "serve" && words.size() == 5) return serve(words[2], words[3], words[4]);
  if (what == "count" && words.size() == 3) {
    auto each = [](const LogEntry&, std::span<const std::byte>) { return Result<>(); };
    uint64_t count = TRY(read_log(words[2], UINT64_MAX, false, each));
    std::printf("%llu\n", static_cast<unsigned long long>(count));
    return {};
  }
  if (what == "cut" && words.size() == 6) {
    uint64_t count = std::strtoull(words[3], nullptr, 10);
    return cut(words[2], count, std::strtoull(words[4], nullptr, 10), words[5]);
  }
  return fail_saying(EINVAL, "serve DISK LOG FILE | count LOG | cut LOG COUNT SEED DISK");
}

}  // namespace
}  // namespace lyr

int main(int argc, char** argv) {
  auto done = lyr::run(std::span(argv, static_cast<size_t>(argc)));
  if (!done) std::fprintf(stderr, "recording_disk: %s\n", lyr::describe(done.error()).c_str());
  return done ? 0 : 1;
}
