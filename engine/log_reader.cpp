// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "engine/log_file.h"

namespace lyr::engine {
namespace {

constexpr size_t read_block_bytes = 64 << 10;
constexpr int follow_poll_ms = 200;  // the end of the container is looked for that often

class LogReader {
 public:
  LogReader(Fd file, const LogOptions& options, const std::function<bool(const LogLine&)>& each)
      : file_(std::move(file)), options_(options), each_(each) {}

  Result<> seek_tail() {
    if (options_.tail_lines < 0) return {};
    auto status = TRY(sys::stat(file_));
    auto at = static_cast<uint64_t>(status.st_size);
    offset_ = at;
    // Backwards, counting the newlines of whole lines; the last one ends the last line.
    int64_t wanted = options_.tail_lines;
    std::string block;
    bool pieces_end = false;
    int64_t lines = 0;
    while (at > 0) {
      size_t size = std::min<uint64_t>(at, read_block_bytes);
      block.resize(size);
      TRY(sys::pread_exactly(file_, std::as_writable_bytes(std::span(block)), at - size));
      for (size_t i = size; i-- > 0;) {
        if (block[i] != '\n') continue;
        uint64_t line_start = at - size + i + 1;
        if (pieces_end && lines >= wanted) {
          offset_ = line_start;
          return {};
        }
        if (wanted == 0) return {};
        pieces_end = true;
        ++lines;
      }
      at -= size;
    }
    offset_ = 0;
    return {};
  }

  // False when `each` wants no more.
  Result<bool> read_more() {
    std::vector<std::byte> block(read_block_bytes);
    for (;;) {
      size_t got = TRY(sys::pread(file_, block, offset_));
      if (got == 0) return true;
      offset_ += got;
      rest_.append(reinterpret_cast<const char*>(block.data()), got);
      size_t from = 0;
      for (size_t end; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1) {
        if (!give(std::string_view(rest_).substr(from, end - from))) return false;
      }
      rest_.erase(0, from);
    }
  }

  Fd watch() { return sys::watch_writes(file_).value_or(Fd()); }

 private:
  bool give(std::string_view line) {
    bool whole = false;
    auto parsed = parse_log_line(line, whole);
    if (!parsed) return true;  // a line torn by a full disk hides no other
    if (parsed->time_unix_ns < options_.since_unix_ns) return true;
    if (options_.until_unix_ns != 0 && parsed->time_unix_ns > options_.until_unix_ns) return true;
    std::string text(parsed->text);
    if (whole) text += '\n';
    parsed->text = text;
    return each_(*parsed);
  }

  Fd file_;
  const LogOptions& options_;
  const std::function<bool(const LogLine&)>& each_;
  uint64_t offset_ = 0;
  std::string rest_;
};

}  // namespace

Result<> read_log(const Fd& persistent, const LogOptions& options,
                  const std::function<bool()>& running,
                  const std::function<bool(const LogLine&)>& each) {
  auto file = sys::open_at(persistent, log_name, O_RDONLY);
  while (!file && file.error().code == ENOENT && options.follow && running()) {
    TRY(sys::poll({}, follow_poll_ms));
    file = sys::open_at(persistent, log_name, O_RDONLY);
  }
  if (!file && file.error().code == ENOENT) return {};  // it never wrote anything
  if (!file) return std::unexpected(std::move(file).error());
  LogReader reader(std::move(*file), options, each);
  Fd watch = reader.watch();
  TRY(reader.seek_tail());
  for (;;) {
    // Asked before reading: what it wrote last is then read for sure.
    bool more = options.follow && running();
    bool wanted = TRY(reader.read_more());
    if (!wanted || !more) return {};
    struct pollfd waiting{watch.get(), POLLIN, 0};
    TRY(sys::poll({&waiting, 1}, follow_poll_ms));
    std::byte events[4096];
    if (watch) static_cast<void>(sys::read(watch, events));
  }
}

}  // namespace lyr::engine
