// SPDX-License-Identifier: Apache-2.0
// A container's log, as a full disk or a crash may leave it: every line is one or is passed over,
// the last N of them are the end of all, and what is written behind is read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/log_file.h"
#include "tests/engine/scratch.h"

namespace {

using namespace lyr::engine;

std::vector<std::string> lines_of(const lyr::Fd& directory, int64_t tail) {
  std::vector<std::string> lines;
  LogOptions options;
  options.tail_lines = tail;
  auto take = [&](const LogLine& line) {
    lines.push_back(format_time(line.time_unix_ns) + (line.standard_error ? " e " : " o ") +
                    std::string(line.text));
    return true;
  };
  auto never = [] { return false; };
  CHECK(read_log(directory, options, never, take).has_value());
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Scratch scratch;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  scratch.write(log_name, text);
  auto all = lines_of(scratch.directory(), -1);
  for (int64_t tail : {0, 1, 3}) {
    auto last = lines_of(scratch.directory(), tail);
    CHECK(last.size() <= all.size() && std::ranges::equal(last, std::span(all).last(last.size())));
  }
  auto writer = LogWriter::open(scratch.directory());
  CHECK(writer && writer->write(true, std::as_bytes(std::span("added\n", 6))).has_value());
  auto more = lines_of(scratch.directory(), -1);
  CHECK(!more.empty() && more.back().ends_with(" e added\n"));
  return 0;
}
