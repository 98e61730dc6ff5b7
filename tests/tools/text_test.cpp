// SPDX-License-Identifier: Apache-2.0
// Sizes, times and tables read as docker prints them.
#include "tools/text.h"

#include <gtest/gtest.h>

namespace lyr::tools {
namespace {

constexpr int64_t second_ns = 1000000000;

TEST(Text, SizesArePowersOfAThousandWithThreeDigits) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(999), "999B");
  EXPECT_EQ(human_size(1000), "1kB");
  EXPECT_EQ(human_size(4516000), "4.52MB");
  EXPECT_EQ(human_size(117000000), "117MB");
  EXPECT_EQ(human_size(1234567890123), "1.23TB");
}

TEST(Text, DurationsAreDockersWords) {
  EXPECT_EQ(human_duration(-5), "Less than a second");
  EXPECT_EQ(human_duration(0), "Less than a second");
  EXPECT_EQ(human_duration(1), "1 second");
  EXPECT_EQ(human_duration(59), "59 seconds");
  EXPECT_EQ(human_duration(60), "About a minute");
  EXPECT_EQ(human_duration(180), "3 minutes");
  EXPECT_EQ(human_duration(3600), "About an hour");
  EXPECT_EQ(human_duration(int64_t{2} * 3600), "2 hours");
  EXPECT_EQ(human_duration(int64_t{3} * 86400), "3 days");
  EXPECT_EQ(human_duration(int64_t{21} * 86400), "3 weeks");
  EXPECT_EQ(human_duration(int64_t{90} * 86400), "3 months");
  EXPECT_EQ(human_duration(int64_t{3} * 365 * 86400), "3 years");
}

TEST(Text, StatusTellsSinceWhen) {
  engine::ContainerInfo info;
  EXPECT_EQ(status_text(info, second_ns), "Created");
  info.status = engine::Status::running;
  info.started_unix_ns = second_ns;
  EXPECT_EQ(status_text(info, 181 * second_ns), "Up 3 minutes");
  info.status = engine::Status::exited;
  info.exit_code = 137;
  info.finished_unix_ns = second_ns;
  EXPECT_EQ(status_text(info, 7201 * second_ns), "Exited (137) 2 hours ago");
}

TEST(Text, SizesAreReadInPowersOf1024) {
  EXPECT_EQ(parse_size("1024").value(), 1024);
  EXPECT_EQ(parse_size("64m").value(), 64 << 20);
  EXPECT_EQ(parse_size("64MB").value(), 64 << 20);
  EXPECT_EQ(parse_size("64MiB").value(), 64 << 20);
  EXPECT_EQ(parse_size("1.5g").value(), int64_t{3} << 29);
  for (const char* wrong : {"", "m", "-1", "1x", "1mm", "1 2", "nan", "inf", "9e30t"}) {
    EXPECT_FALSE(parse_size(wrong)) << wrong;
  }
}

TEST(Text, MomentsAreDatesDurationsOrSeconds) {
  int64_t now = 1000 * second_ns;
  EXPECT_EQ(parse_moment("10m", now).value(), 400 * second_ns);
  EXPECT_EQ(parse_moment("1m30s", now).value(), 910 * second_ns);
  EXPECT_EQ(parse_moment("500", now).value(), 500 * second_ns);
  EXPECT_EQ(parse_moment("1970-01-01T00:00:07Z", now).value(), 7 * second_ns);
  EXPECT_EQ(parse_moment("1970-01-02", now).value(), 86400 * second_ns);
  EXPECT_FALSE(parse_moment("yesterday", now));
}

TEST(Text, ColumnsAreAsWideAsDockers) {
  EXPECT_EQ(table({{"REPOSITORY", "TAG", "SIZE"}, {"debian", "latest", "117MB"}}),
            "REPOSITORY   TAG       SIZE\n"
            "debian       latest    117MB\n");
  EXPECT_EQ(table({{"A", "B"}, {"…………………………………", "x"}}),
            "A               B\n"
            "…………………………………   x\n");
}

TEST(Text, WhatIsShownMovesNoCursor) {
  EXPECT_EQ(printable("/a\x1b[2J\n\t\x7f ä"), R"(/a\x1b[2J\n\t\x7f ä)");
}

TEST(Text, CommandsAreCutAtTwentyCharacters) {
  EXPECT_EQ(command_text({"sleep", "inf"}, false), "\"sleep inf\"");
  EXPECT_EQ(command_text({"sh", "-c", "echo one two three"}, false), "\"sh -c 'echo one two…\"");
  EXPECT_EQ(command_text({"sh", "-c", "echo one two"}, true), "\"sh -c 'echo one two'\"");
  EXPECT_EQ(command_text({"sh", "-c", "a\nb"}, true), "\"sh -c a\\nb\"");
  EXPECT_EQ(command_text({"\x1b]0;title\x07", "\"\\"}, true), R"("\x1b]0;title\x07 \"\\")");
  EXPECT_EQ(command_text({"äöüäöüäöüäöüäöüäöüäöü"}, false), "\"äöüäöüäöüäöüäöüäöüä…\"");
  EXPECT_EQ(command_text({"äöüäöüäöüäöüäöüäöüäö"}, false), "\"äöüäöüäöüäöüäöüäöüäö\"");
}

}  // namespace
}  // namespace lyr::tools
