// SPDX-License-Identifier: Apache-2.0
// A container's log: every byte comes back, in the order and with the stream it was written on,
// from where it is asked for, whatever a crash or a full disk did to the file.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/sys_event.h"
#include "base/sys_process.h"
#include "engine/log_file.h"
#include "tests/engine/scratch.h"

namespace lyr::engine {
namespace {

using Lines = std::vector<std::string>;

const std::string time_text = "2026-01-02T03:04:05.000000006Z";

class Log : public testing::Test {
 protected:
  LogWriter writer() { return LogWriter::open(scratch_.directory()).value(); }
  static void write(LogWriter& log, std::string_view text, bool standard_error = false) {
    EXPECT_TRUE(log.write(standard_error, std::as_bytes(std::span(text))));
  }
  Lines read(const LogOptions& options = {}) {
    Lines lines;
    auto take = [&](const LogLine& line) {
      lines.push_back((line.standard_error ? "e " : "o ") + std::string(line.text));
      return true;
    };
    auto never = [] { return false; };
    auto done = read_log(scratch_.directory(), options, never, take);
    EXPECT_TRUE(done) << describe(done.error());
    return lines;
  }
  Lines tail(int64_t count) { return read({.tail_lines = count}); }
  Scratch scratch_;
};

TEST_F(Log, LinesComeBackWithTheirStream) {
  LogWriter log = writer();
  write(log, "one\ntw");
  write(log, "error\n", true);
  write(log, "o\n\n");
  EXPECT_EQ(read(), (Lines{"o one\n", "e error\n", "o two\n", "o \n"}));
}

TEST_F(Log, APartOfALineIsKeptApartAndWrittenAtTheEnd) {
  LogWriter log = writer();
  write(log, "out");
  write(log, "err", true);
  EXPECT_EQ(read(), Lines{});
  ASSERT_TRUE(log.finish());
  EXPECT_EQ(read(), (Lines{"o out", "e err"}));
  ASSERT_TRUE(log.finish());
  EXPECT_EQ(read().size(), 2U) << "the end of the end adds nothing";
}

TEST_F(Log, ALongLineIsCutAndComesBackWhole) {
  std::string line(2 * log_piece_bytes_max + 5, 'x');
  line[log_piece_bytes_max] = 'y';
  LogWriter log = writer();
  write(log, line + "\nnext\n");
  std::string all;
  for (const std::string& piece : read()) all += piece.substr(2);
  EXPECT_EQ(all, line + "\nnext\n");
  EXPECT_EQ(read().size(), 4U);
}

TEST_F(Log, ALineOfExactlyAPieceIsWhole) {
  std::string line(log_piece_bytes_max, 'x');
  LogWriter log = writer();
  write(log, line);
  write(log, "\n");
  EXPECT_EQ(read(), Lines{"o " + line + "\n"});
}

TEST_F(Log, AnyByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  LogWriter log = writer();
  write(log, bytes + "\r\n");
  std::string all;
  for (const std::string& piece : read()) all += piece.substr(2);
  EXPECT_EQ(all, bytes + "\r\n");
}

TEST_F(Log, TheTailIsTheLastLines) {
  LogWriter log = writer();
  for (int i = 0; i < 3000; ++i)
    write(log, "line " + std::to_string(i) + std::string(40, '.') + "\n");
  Lines all = read();
  ASSERT_EQ(all.size(), 3000U);
  for (int64_t count : {0, 1, 2, 700, 2999, 3000, 3001}) {
    Lines last = tail(count);
    ASSERT_EQ(last.size(), static_cast<size_t>(std::min<int64_t>(count, 3000))) << count;
    EXPECT_TRUE(
        std::equal(last.begin(), last.end(), all.end() - static_cast<ptrdiff_t>(last.size())))
        << count;
  }
}

TEST_F(Log, TheTailOfNothing) {
  EXPECT_EQ(tail(1), Lines{}) << "no log at all";
  scratch_.write(log_name, "");
  EXPECT_EQ(tail(1), Lines{});
  EXPECT_EQ(tail(0), Lines{});
}

TEST_F(Log, SinceAndUntilAreInclusive) {
  int64_t time = parse_time(time_text).value();
  std::string text;
  for (int i = -1; i <= 1; ++i)
    text += format_time(time + i) + " stdout F " + std::to_string(i) + "\n";
  scratch_.write(log_name, text);
  EXPECT_EQ(read({.since_unix_ns = time}), (Lines{"o 0\n", "o 1\n"}));
  EXPECT_EQ(read({.until_unix_ns = time}), (Lines{"o -1\n", "o 0\n"}));
  EXPECT_EQ(read({.since_unix_ns = time, .until_unix_ns = time}), Lines{"o 0\n"});
}

TEST_F(Log, ATornLastLineIsPassedOver) {
  std::string whole = time_text + " stdout F whole\n";
  std::string torn = time_text + " stdout F torn";
  for (size_t bytes = 0; bytes <= torn.size(); ++bytes) {
    scratch_.write(log_name, whole + torn.substr(0, bytes));
    EXPECT_EQ(read(), Lines{"o whole\n"}) << bytes;
    EXPECT_EQ(tail(1), Lines{"o whole\n"}) << bytes;
  }
}

TEST_F(Log, WhatFollowsATornLineIsALineOfItsOwn) {
  scratch_.write(log_name, time_text + " stdout F whole\n" + time_text + " stdout F to");
  LogWriter log = writer();
  write(log, "next\n");
  Lines lines = read();
  EXPECT_EQ(lines.back(), "o next\n");
  EXPECT_EQ(lines.front(), "o whole\n");
  EXPECT_EQ(scratch_.read(log_name).find("\n\n"), std::string::npos);
}

TEST_F(Log, AWriteThatFailsTearsNoLaterLine) {
  auto child = sys::spawn([&] {
    sys::ignore_signal(SIGXFSZ);
    auto log = LogWriter::open(scratch_.directory());
    if (!log || !log->write(false, std::as_bytes(std::span("before\n", 7)))) return 1;
    auto status = sys::stat_at(scratch_.directory(), log_name);
    if (!status) return 2;
    auto full = static_cast<rlim_t>(status->st_size) + 20;  // as a disk with 20 bytes left
    if (!sys::set_rlimit(RLIMIT_FSIZE, {full, RLIM_INFINITY})) return 3;
    if (log->write(false, std::as_bytes(std::span("lost\n", 5)))) return 4;
    if (!sys::set_rlimit(RLIMIT_FSIZE, {RLIM_INFINITY, RLIM_INFINITY})) return 5;
    if (!log->write(true, std::as_bytes(std::span("after\n", 6)))) return 6;
    return 0;
  });
  ASSERT_TRUE(child);
  EXPECT_EQ(sys::wait_pidfd(child->pidfd).value()->shell_code(), 0);
  EXPECT_EQ(read(), (Lines{"o before\n", "e after\n"}));
}

TEST_F(Log, LinesThatAreNoneHideNoOther) {
  scratch_.write(log_name, "\nrubbish\n" + time_text + " stdlog F x\n" + time_text +
                               " stdout X x\n" + time_text + " stderr F kept\n" +
                               std::string(200, '\0') + "\n");
  EXPECT_EQ(read(), Lines{"e kept\n"});
}

TEST_F(Log, FollowingReadsWhatIsAddedUntilTheEnd) {
  LogWriter log = writer();
  write(log, "first\n");
  int asked = 0;
  Lines lines;
  auto running = [&] {
    if (++asked == 2) write(log, "second\nun");
    if (asked < 3) return true;
    EXPECT_TRUE(log.finish());  // what comes last comes before the end is seen
    return false;
  };
  auto take = [&](const LogLine& line) {
    lines.emplace_back(line.text);
    return true;
  };
  ASSERT_TRUE(read_log(scratch_.directory(), {.follow = true}, running, take));
  EXPECT_EQ(lines, (Lines{"first\n", "second\n", "un"}));
}

TEST_F(Log, TheReaderMayStop) {
  LogWriter log = writer();
  write(log, "1\n2\n3\n");
  Lines lines;
  auto take = [&](const LogLine& line) {
    lines.emplace_back(line.text);
    return lines.size() < 2;
  };
  auto running = [] { return true; };
  ASSERT_TRUE(read_log(scratch_.directory(), {.follow = true}, running, take));
  EXPECT_EQ(lines, (Lines{"1\n", "2\n"}));
}

TEST(LogTime, IsReadAsItIsWritten) {
  for (int64_t time : {int64_t{0}, int64_t{1}, int64_t{999999999}, int64_t{1767323045000000006},
                       int64_t{-1}, int64_t{-1000000000}, int64_t{-1500000000}}) {
    EXPECT_EQ(parse_time(format_time(time)).value(), time);
  }
  EXPECT_EQ(format_time(parse_time(time_text).value()), time_text);
  for (const char* wrong :
       {"", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123Z", "2026-01-02 03:04:05.000000006Z",
        "2026-13-02T03:04:05.000000006Z", "2026-01-02T03:04:05.-00000006Z",
        "2026-01-02T03:04:05.000000006X", "202x-01-02T03:04:05.000000006Z",
        "9999-01-02T03:04:05.000000006Z", "0001-01-02T03:04:05.000000006Z"}) {
    EXPECT_FALSE(parse_time(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace lyr::engine
