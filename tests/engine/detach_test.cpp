// SPDX-License-Identifier: Apache-2.0
// The keys a person leaves an attached container with.
#include <gtest/gtest.h>

#include "engine/attach_client.h"

namespace lyr::engine {
namespace {

struct Typed {
  std::string passed;
  bool detached = false;
  bool operator==(const Typed&) const = default;
};

// Each piece is what one read gave.
Typed type(const std::string& keys, const std::vector<std::string>& pieces) {
  DetachScanner scanner(keys);
  Typed typed;
  for (const std::string& piece : pieces) {
    if (!typed.detached) typed.passed += scanner.scan(piece, typed.detached);
  }
  return typed;
}

TEST(DetachKeys, AreCharactersAndControlKeys) {
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q").value(), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("ctrl-@").value(), std::string(1, '\0'));
  EXPECT_EQ(parse_detach_keys("a,ctrl-[,Z").value(), "a\x1bZ");
  EXPECT_EQ(parse_detach_keys("ctrl-\\,ctrl-],ctrl-^,ctrl-_").value(), "\x1c\x1d\x1e\x1f");
  EXPECT_EQ(parse_detach_keys("").value(), "") << "no way out but the program's end";
}

TEST(DetachKeys, OthersAreRefusedAndNamed) {
  for (const char* wrong : {"ctrl-", "ctrl-pq", "ctrl-1", "ctrl- ", "ctrl-{", "ctrl-`", "alt-a",
                            "ab", "a,,b", "CTRL-a", ","}) {
    auto keys = parse_detach_keys(wrong);
    ASSERT_FALSE(keys) << wrong;
    EXPECT_EQ(keys.error().code, EINVAL);
    EXPECT_NE(describe(keys.error()).find("detach key"), std::string::npos);
  }
}

TEST(DetachScanner, PassesOnWhatIsNoSequence) {
  EXPECT_EQ(type("pq", {"hello"}), Typed("hello"));
  EXPECT_EQ(type("", {"hello", ""}), Typed("hello"));
  EXPECT_EQ(type("pq", {"p", "x", "pp", "x"}), Typed("pxppx"));
}

TEST(DetachScanner, SeesTheSequenceSplitOverReads) {
  EXPECT_EQ(type("pq", {"ls\npq"}), Typed("ls\n", true));
  EXPECT_EQ(type("pq", {"ls\np", "q"}), Typed("ls\n", true));
  EXPECT_EQ(type("abc", {"xa", "b", "cy"}), Typed("x", true)) << "what follows it is nobody's";
}

TEST(DetachScanner, HoldsAPartBackUntilItIsKnown) {
  DetachScanner scanner("pq");
  bool detached = false;
  EXPECT_EQ(scanner.scan("ap", detached), "a");
  EXPECT_EQ(scanner.scan("b", detached), "pb");
  EXPECT_FALSE(detached);
}

TEST(DetachScanner, SeesASequenceThatBeginsWithinAnother) {
  EXPECT_EQ(type("pq", {"ppq"}), Typed("p", true));
  EXPECT_EQ(type("aab", {"aaab"}), Typed("a", true));
  EXPECT_EQ(type("abcabd", {"abcab", "cabd"}), Typed("abc", true));
  EXPECT_EQ(type("abab", {"abaabab"}), Typed("aba", true));
}

}  // namespace
}  // namespace lyr::engine
