// SPDX-License-Identifier: Apache-2.0
// The power goes after each change that an import, a removal, a collection or a compaction makes to
// the disk. Whatever of it was not yet made durable may be there, in part, or not (power_cut.h):
// the store must open as it is and show the state before or after, all of it exact; what returned
// must be there; and a collection finds all that is left over.
//
// LYR_SEED=N repeats one seed; LYR_CUTS=N makes N random disks for each change, not one.
#include "tests/store/power_cut.h"

#include <sys/file.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "store/store_state.h"
#include "tests/store/sample_changes.h"
#include "tests/store/whole_state.h"

namespace lyr::store {
namespace {

namespace fs = std::filesystem;

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class PowerCutTest : public StoreTest {
 protected:
  using Change = std::function<Result<>(Store&)>;

  std::string parent() const override { return memory_directory(); }
  void SetUp() override {
    StoreTest::SetUp();
    close();
    uint64_t seed = number_from("LYR_SEED", std::random_device()());
    std::printf("LYR_SEED=%llu\n", static_cast<unsigned long long>(seed));
    random_.seed(seed);
    cut_ = path() + "-cut";
  }
  void TearDown() override {
    must(sys::remove_all_at(sys::cwd(), cut_.c_str()));
    StoreTest::TearDown();
  }
  // The store is in a directory of its own below path(), as its making is recorded, too.
  std::string store_path() const { return path() + "/root/store"; }
  void prepare() {
    Store made = must(Store::open(store_path()));
    must(samples_.prepare(made));
  }
  std::string state() {
    Store opened = must(Store::open(store_path()));
    return state_of(opened);
  }
  int run(const Change& change) const {
    auto opened = Store::open(store_path());
    return opened && change(*opened) ? 0 : 1;
  }

  // The store as a cut left it.
  void check_cut(bool returned, const Change& change) {
    {
      auto opened = Store::open(cut_ + "/root/store");
      ASSERT_TRUE(opened) << describe(opened.error());
      std::string left = state_of(*opened);
      bool allowed = left == after_ || (!returned && before_.contains(left));
      EXPECT_TRUE(allowed) << left << "instead of\n" << after_;
      must(opened->collect({}));
      EXPECT_EQ(state_of(*opened), left);
      EXPECT_EQ(leaks_of(*opened, cut_ + "/root/store"), "");
      ++cuts_;
      if (cuts_ % 8 == 0) {
        auto again = change(*opened);
        EXPECT_TRUE(again) << describe(again.error());
        EXPECT_EQ(state_of(*opened), after_);
      }
    }
  }
  void cut(const Recording& recording, PowerCut& power, size_t count, const Survival& survival,
           const Change& change) {
    must(sys::remove_all_at(sys::cwd(), cut_.c_str()));
    must(sys::mkdir_at(sys::cwd(), cut_.c_str(), 0700));
    bool last = count == recording.events().size();
    if (!power.make(count, last, survival, random_, cut_)) return;
    SCOPED_TRACE(
        "after " + std::to_string(count) + " of " + std::to_string(recording.events().size()) +
        " events" + (count == 0 ? "" : ", the last one " + recording.events()[count - 1].what) +
        "; data " + std::to_string(survival.data) + ", names " + std::to_string(survival.names));
    check_cut(last, change);
  }
  double share() { return std::uniform_int_distribution<>(1, 9)(random_) / 10.0; }
  void cut_often(const Recording& recording, PowerCut& power, size_t count, uint64_t cuts,
                 const Change& change) {
    for (const Survival& survival : {Survival{0, 0}, {1, 1}, {0, 1}, {1, 0}}) {
      cut(recording, power, count, survival, change);
    }
    for (uint64_t i = 0; i < cuts && !HasFailure(); ++i) {
      cut(recording, power, count, {share(), share()}, change);
      size_t until = std::uniform_int_distribution<size_t>(0, count)(random_);
      cut(recording, power, count, {share(), 1, until}, change);
    }
  }

  // Somebody is killed at each third of their calls (with LYR_CUTS at each), nothing of which need
  // be durable: what another does after that is, when it has returned.
  void check_after_killed(const Change& change) {
    std::string kept = path() + "-kept";
    fs::copy(path(), kept, fs::copy_options::recursive);
    uint64_t cuts = number_from("LYR_CUTS", 1);
    int step = cuts > 1 ? 1 : 3;
    bool killed = true;
    for (int point = static_cast<int>(random_() % 3) % step; killed && !HasFailure();
         point += step) {
      SCOPED_TRACE("another was killed at call " + std::to_string(point));
      fs::remove_all(path());
      fs::copy(kept, path(), fs::copy_options::recursive);
      Recording recording(path());
      int left = point;
      auto here = [&](const TracedCall& call) -> Decision {
        bool kill = changes_something(call) && left-- == 0;
        return {kill ? Decision::Kind::kill : Decision::Kind::let};
      };
      killed = recording.record([&] { return run(change); }, here).killed;
      Traced traced = recording.record([&] { return run(change); });
      ASSERT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0);
      after_ = state();
      PowerCut power(recording);
      cut_often(recording, power, recording.events().size(), cuts, change);
    }
    fs::remove_all(kept);
    std::printf("%zu disks\n", cuts_);
    EXPECT_GT(cuts_, 50u);
  }

  // After every event.
  void check(const Change& change) {
    Recording recording(path());
    Traced traced = recording.record([&] { return run(change); });
    ASSERT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0);
    after_ = state();
    ASSERT_EQ(after_.find("damage"), std::string::npos) << after_;
    PowerCut power(recording);
    uint64_t cuts = number_from("LYR_CUTS", 1);
    size_t events = recording.events().size();
    for (size_t count = 0; count < events && !HasFailure(); ++count) {
      cut_often(recording, power, count, cuts, change);
    }
    cut_often(recording, power, events, cuts * 20, change);
    std::printf("%zu events, %zu disks\n", events, cuts_);
    EXPECT_GT(cuts_, events);
  }

  SampleChanges samples_;
  std::string cut_;
  std::set<std::string> before_ = {""};  // states that may be seen while the change goes on
  std::string after_;
  std::mt19937_64 random_;
  size_t cuts_ = 0;
};

TEST_F(PowerCutTest, DuringTheFirstImportOfANewStore) {
  check([&](Store& store) { return samples_.import(store); });
}

TEST_F(PowerCutTest, DuringAnImport) {
  prepare();
  before_ = {state()};
  check([&](Store& store) { return samples_.import(store); });
}

TEST_F(PowerCutTest, AfterAnImportThatFollowedAKilledOneOfANewStore) {
  check_after_killed([&](Store& store) { return samples_.import(store); });
}

TEST_F(PowerCutTest, AfterAnImportThatFollowedAKilledOne) {
  prepare();
  check_after_killed([&](Store& store) { return samples_.import(store); });
}

// Another import has just given the image's tree its name, and has yet to fsync the directory.
TEST_F(PowerCutTest, DuringAnImportOfWhatAnotherBrings) {
  prepare();
  before_ = {state()};
  std::string other = path() + "-other";
  fs::copy(path(), other, fs::copy_options::recursive);
  {
    Store store = must(Store::open(other + "/root/store"));
    must(samples_.import(store));
  }
  fs::path tree;
  for (const auto& entry : fs::directory_iterator(other + "/root/store/trees")) {
    bool known = fs::exists(store_path() + "/trees/" + entry.path().filename().string());
    if (!known) tree = entry.path();
  }
  check([&](Store& store) -> Result<> {
    Fd lock = TRY(sys::open((store_path() + "/commit.lock").c_str(), O_RDWR | O_CREAT, 0600));
    TRY(sys::flock(lock, LOCK_SH));
    std::string content = TRY(sys::read_file_at(sys::cwd(), tree.c_str()));
    Fd trees = TRY(sys::open((store_path() + "/trees").c_str(), O_RDONLY | O_DIRECTORY));
    auto bytes = std::as_bytes(std::span(content));
    TRY(publish_file(trees, tree.filename().string(), bytes));
    return samples_.import(store);
  });
  fs::remove_all(other);
}

TEST_F(PowerCutTest, DuringTwoImportsSideBySide) {
  prepare();
  std::string kept = path() + "-kept";
  fs::copy(path(), kept, fs::copy_options::recursive);
  before_ = {state()};
  for (auto import : {&SampleChanges::import, &SampleChanges::import_other}) {
    fs::remove_all(path());
    fs::copy(kept, path(), fs::copy_options::recursive);
    {
      Store store = must(Store::open(store_path()));
      must((samples_.*import)(store));
    }
    before_.insert(state());
  }
  fs::remove_all(path());
  fs::copy(kept, path(), fs::copy_options::recursive);
  fs::remove_all(kept);
  check([&](Store& store) -> Result<> {
    Result<> other;
    std::thread beside([&] { other = samples_.import_other(store); });
    auto one = samples_.import(store);
    beside.join();
    TRY(std::move(one));
    return other;
  });
}

TEST_F(PowerCutTest, DuringACollection) {
  prepare();
  before_ = {state()};
  check([&](Store& store) -> Result<> {
    TRY(samples_.remove(store));
    return SampleChanges::collect(store);
  });
}

TEST_F(PowerCutTest, DuringACompaction) {
  prepare();
  before_ = {state()};
  check(SampleChanges::compact);
}

}  // namespace
}  // namespace lyr::store
