// SPDX-License-Identifier: Apache-2.0
// Container names: one holder each, whoever asks at once and whatever a kill left.
#include "engine/names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/sys_event.h"
#include "base/sys_process.h"
#include "engine/reconcile.h"
#include "engine/record.h"
#include "tests/engine/scratch.h"

namespace lyr::engine {
namespace {

const std::string one(64, '1');
const std::string two(64, '2');

class Names : public testing::Test {
 protected:
  Names() {
    engine_.roots = {scratch_.path(), scratch_.path() + "/run"};
    engine_.containers = scratch_.open("containers");
    engine_.names = scratch_.open("containers/names");
    engine_.running = scratch_.open("run/containers");
    for (const std::string& id : {one, two}) make(id);
  }
  void make(const std::string& id) {
    ContainerInfo info;
    info.id = id;
    EXPECT_TRUE(write_container(scratch_.open("containers/" + id), info));
  }
  std::string holder(const std::string& name) {
    return id_of_name(engine_, name).value().value_or("nobody");
  }
  Scratch scratch_;
  Engine::State engine_;
};

TEST_F(Names, ANameHasOneHolder) {
  EXPECT_EQ(holder("web"), "nobody");
  ASSERT_TRUE(claim_name(engine_, "web", one));
  EXPECT_EQ(holder("web"), one);
  auto again = claim_name(engine_, "web", two);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, EEXIST);
  EXPECT_NE(describe(again.error()).find(one.substr(0, 12)), std::string::npos);
  EXPECT_EQ(holder("web"), one);
}

TEST_F(Names, OnlyItsHolderReleasesIt) {
  ASSERT_TRUE(claim_name(engine_, "web", one));
  EXPECT_TRUE(release_name(engine_, "web", two)) << "not its own: nothing is done";
  EXPECT_EQ(holder("web"), one);
  EXPECT_TRUE(release_name(engine_, "web", one));
  EXPECT_EQ(holder("web"), "nobody");
  EXPECT_TRUE(release_name(engine_, "web", one)) << "twice is no error";
  EXPECT_TRUE(claim_name(engine_, "web", two));
}

TEST_F(Names, OfManyWhoClaimAtOnceOneGetsIt) {
  std::vector<Fd> children;
  std::vector<int> codes;
  auto gate = sys::pipe().value();  // a byte each lets them go
  for (char c : {'a', 'b', 'c', 'd', 'e', 'f'}) {
    std::string id(64, c);
    make(id);
    auto child = sys::spawn([&, id] {
      std::byte go;
      if (!sys::read(gate.read, {&go, 1})) return 2;
      return claim_name(engine_, "web", id) ? 0 : 1;
    });
    ASSERT_TRUE(child);
    children.push_back(std::move(child->pidfd));
  }
  ASSERT_TRUE(sys::write_all(gate.write, std::string_view("golden")));
  for (const Fd& child : children) codes.push_back(sys::wait_pidfd(child).value()->shell_code());
  EXPECT_EQ(std::ranges::count(codes, 0), 1);
  EXPECT_EQ(std::ranges::count(codes, 1), 5);
  EXPECT_NE(holder("web"), "nobody");
}

TEST_F(Names, ANameWhoseHolderIsGoneIsTaken) {
  std::string gone(64, '9');
  ASSERT_TRUE(claim_name(engine_, "web", gone))
      << "by a command killed before its record was there";
  auto claimed = claim_name(engine_, "web", one);
  ASSERT_TRUE(claimed) << describe(claimed.error());
  EXPECT_EQ(holder("web"), one);
}

TEST_F(Names, AContainerThatIsBeingMadeKeepsItsName) {
  std::string made(64, '8');
  scratch_.open("containers/" + made);
  ContainerDirectory directory = open_container(engine_, made).value();
  auto lock = ContainerLock::take(directory);
  ASSERT_TRUE(lock);
  ASSERT_TRUE(claim_name(engine_, "web", made));
  EXPECT_FALSE(claim_name(engine_, "web", one));
  EXPECT_EQ(holder("web"), made);
  lock = fail(EINTR, "killed");  // its record never came
  EXPECT_TRUE(claim_name(engine_, "web", one));
  EXPECT_EQ(holder("web"), one);
  EXPECT_FALSE(open_container(engine_, made)) << "what was half made is gone";
}

TEST_F(Names, MadeUpNamesDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 300; ++i) {
    std::string name = claim_made_up_name(engine_, one).value();
    EXPECT_TRUE(check_name(name)) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST_F(Names, WhatCannotBeANameHasNoHolder) {
  for (const std::string& odd : {std::string("."), std::string(".."), std::string(300, 'x')}) {
    EXPECT_EQ(holder(odd), "nobody") << odd;
  }
}

TEST(CheckName, LettersDigitsAndThreeSigns) {
  for (const std::string& name :
       {std::string("a"), std::string("0"), std::string("Web_1.x-y"), std::string(128, 'n')}) {
    EXPECT_TRUE(check_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(""), std::string("."), std::string(".."), std::string("-a"), std::string("_a"),
        std::string("a/b"), std::string("a b"), std::string("a\0b", 3), std::string("\xc3\xa9"),
        std::string("a\n"), std::string(129, 'n')}) {
    auto checked = check_name(name);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, EINVAL);
  }
}

TEST(MakeId, Has64HexDigitsAndIsNew) {
  std::string id = make_id().value();
  EXPECT_EQ(id.size(), 64U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(id, make_id().value());
}

}  // namespace
}  // namespace lyr::engine
