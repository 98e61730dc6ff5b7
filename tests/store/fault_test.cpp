// SPDX-License-Identifier: Apache-2.0
// Each system call on a file of the store fails, one after the other: once, once after it was done
// all the same, once for want of space, and so from there on; or a write is cut in half. Whatever a
// change made of it, the store must open as it is and show the state before or after; a collection
// finds what was left, and the same change without a fault succeeds.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <sstream>

#include "tests/store/sample_changes.h"
#include "tests/store/traced.h"
#include "tests/store/whole_state.h"

namespace lyr::store {
namespace {

namespace fs = std::filesystem;

enum class Mode { fails_once, is_done_and_fails, no_space_once, no_space_from_there_on, halved };

// Calls that may need a block.
bool may_need_space(const TracedCall& call) {
  switch (call.number) {
    case SYS_openat:
      return (call.arguments[2] & O_CREAT) != 0;
    case SYS_unlinkat:  // not so on btrfs, where nothing can be done about it
    case SYS_sync_file_range:
    case SYS_flock:
      return false;
    default:
      return changes_something(call);
  }
}

bool is_write(const TracedCall& call) {
  bool bytes = call.number == SYS_write || call.number == SYS_pwrite64;
  bool parts = call.number == SYS_writev || call.number == SYS_pwritev;
  return (bytes || parts) && call.arguments[2] > 1;
}

bool may_be_done_and_fail(const TracedCall& call) {
  return changes_something(call) && call.number != SYS_flock && call.number != SYS_openat;
}

// Of a thousand reads of one file the first few fail, and then ever fewer.
bool is_one_of_many(int count) { return count > 4 && (count & (count - 1)) != 0; }

class FaultTest : public StoreTest, public testing::WithParamInterface<Mode> {
 protected:
  using Change = std::function<Result<>(Store&)>;

  std::string parent() const override { return memory_directory(); }
  void SetUp() override {
    StoreTest::SetUp();
    must(samples_.prepare(store()));
    close();
    before_ = path() + "-before";
    fs::copy(path(), before_, fs::copy_options::recursive);
    fs::remove(before_ + "/catalog.mdb-lock");
  }
  void TearDown() override {
    fs::remove_all(before_);
    StoreTest::TearDown();
  }
  void restore() {
    close();
    for (const auto& entry : fs::directory_iterator(path())) fs::remove_all(entry.path());
    fs::copy(before_, path(), fs::copy_options::recursive);
  }

  // What the child says: "" or its error, after the code.
  struct Outcome {
    std::string fault;  // "": it came to its end before
    int code = 0;       // 0: it succeeded
    std::string said;
  };
  int report(int to, const Change& change) const {
    auto opened = Store::open(path());
    auto done = opened ? change(*opened) : Result<>(std::unexpected(std::move(opened).error()));
    if (done) return 0;
    std::string text = describe(done.error());
    if (done.error().subject == nullptr) text += " (of what?)";
    static_cast<void>(!::write(to, text.data(), text.size()));
    return done.error().code;
  }
  bool runs_out_of_space() const {
    return GetParam() == Mode::no_space_once || GetParam() == Mode::no_space_from_there_on;
  }
  Decision fault() const {
    switch (GetParam()) {
      case Mode::fails_once:
        return {Decision::Kind::refuse, EIO};
      case Mode::is_done_and_fails:
        return {Decision::Kind::pretend, EIO};
      case Mode::halved:
        return {Decision::Kind::halve};
      default:
        return {Decision::Kind::refuse, ENOSPC};
    }
  }
  bool may_fail(const TracedCall& call) const {
    if (call.number == SYS_fcntl)
      return false;  // locks and copies of descriptors: no disk is asked
    if (runs_out_of_space() && !may_need_space(call)) return false;
    if (GetParam() == Mode::is_done_and_fails && !may_be_done_and_fail(call)) return false;
    if (GetParam() == Mode::halved && !is_write(call)) return false;
    std::string below = path() + "/";
    auto ours = [&](const std::string& name) { return (name + "/").starts_with(below); };
    return std::ranges::any_of(call.paths(), ours);
  }
  Outcome change_with_fault(int point, const Change& change) const {
    Outcome outcome;
    std::map<std::string, int> seen;
    auto before = [&](const TracedCall& call) -> Decision {
      if (point < 0 && GetParam() != Mode::no_space_from_there_on) return {};
      if (!may_fail(call)) return {};
      if (!changes_something(call) && is_one_of_many(++seen[call.description()])) return {};
      if (point-- > 0) return {};
      if (outcome.fault.empty()) outcome.fault = call.description();
      return fault();
    };
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    Traced traced = run_traced([&] { return report(ends[1], change); }, {.before = before});
    ::close(ends[1]);
    char text[4096];
    ssize_t got = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    outcome.said.assign(text, got > 0 ? static_cast<size_t>(got) : 0);
    EXPECT_TRUE(WIFEXITED(traced.status)) << "status " << traced.status;
    outcome.code = WEXITSTATUS(traced.status);
    return outcome;
  }

  void check_error(const Outcome& outcome) const {
    int code = runs_out_of_space() ? ENOSPC : EIO;
    // Once LMDB could not write its meta page it says no more than that; it takes a write that was
    // cut short for a full disk, or not.
    bool lmdb = outcome.said.find("MDB_PANIC") != std::string::npos || GetParam() == Mode::halved;
    bool either = lmdb && (outcome.code == EIO || outcome.code == ENOSPC);
    EXPECT_TRUE(outcome.code == code || either) << outcome.said;
    EXPECT_EQ(outcome.said.find("(of what?)"), std::string::npos) << outcome.said;
  }

  // Every call in turn, of which there are `calls_min` at least.
  void check(const Change& change, int calls_min) {
    restore();
    reopen();
    std::string before = state_of(store());
    must(change(store()));
    std::string after = state_of(store());
    ASSERT_EQ(before.find("damage: ") != std::string::npos, damaged_) << before;
    ASSERT_EQ(content_of(after).find("damage"), std::string::npos) << after;
    for (int point = 0; !HasFailure(); ++point) {
      restore();
      Outcome outcome = change_with_fault(point, change);
      SCOPED_TRACE(outcome.fault + " (call " + std::to_string(point) + "): " + outcome.said);
      if (outcome.fault.empty()) {
        EXPECT_EQ(outcome.code, 0);
        EXPECT_GE(point, calls_min);  // else they were not seen
        break;
      }
      if (outcome.code != 0) check_error(outcome);
      reopen();
      std::string left = state_of(store());
      bool as_before = outcome.code != 0 && left == before;
      EXPECT_EQ(content_of(left), content_of(as_before ? before : after));
      must(store().collect({}));
      EXPECT_EQ(content_of(state_of(store())), content_of(left));
      std::string leaks = damaged_ ? "" : leaks_of(store(), path());  // a damaged pack stays
      EXPECT_EQ(leaks, "");
      auto again = change(store());
      EXPECT_TRUE(again) << describe(again.error());
      EXPECT_EQ(state_of(store()), after);
      must(store().collect({}));
      EXPECT_EQ(leaks_of(store(), path()), "");
    }
  }

  // Flips a bit of a frame that is there twice, in one of its packs, and one in the other's footer.
  void damage() {
    restore();
    std::vector<std::string> known = names_in("packs");
    reopen();
    must(samples_.import_twice(store()));
    close();
    bool first = true;
    for (const std::string& name : names_in("packs")) {
      if (std::ranges::find(known, name) != known.end()) continue;
      std::string pack = path() + "/packs/" + name;
      flip(pack, first ? 200000 : size_of(pack) - 20);  // within a large file; the footer
      first = false;
    }
    fs::remove_all(before_);
    fs::copy(path(), before_, fs::copy_options::recursive);
  }
  // Without the lines that a mend takes away one by one.
  std::string content_of(const std::string& state) const {
    if (!damaged_) return state;
    std::string content;
    std::istringstream lines(state);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("damage: ")) content += line + "\n";
    }
    return content;
  }

  SampleChanges samples_;
  std::string before_;
  bool damaged_ = false;
};

TEST_P(FaultTest, AnImportIsWholeOrAbsent) {
  check([&](Store& store) { return samples_.import(store); }, 10);
}

TEST_P(FaultTest, ANewStoreIsMadeTheNextTime) {
  fs::remove_all(before_);
  fs::create_directory(before_);
  check([](Store&) { return Result<>(); }, GetParam() == Mode::halved ? 2 : 10);
}

TEST_P(FaultTest, ACollectionLosesNothing) {
  check(
      [&](Store& store) -> Result<> {
        TRY(samples_.remove(store));
        return SampleChanges::collect(store);
      },
      5);
}

TEST_P(FaultTest, ACompactionLosesNothing) { check(SampleChanges::compact, 5); }

// Else the other tests would see less than they seem to.
TEST_F(StoreTest, TheSamplesHaveAllThatACollectionDoes) {
  SampleChanges samples;
  must(samples.prepare(store()));
  must(samples.remove(store()));
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.packs_removed, 1u);
  EXPECT_EQ(report.packs_punched, 1u);
  EXPECT_EQ(report.packs_rewritten, 1u);
  EXPECT_EQ(must(store().collect({.compress = true})).packs_rewritten, 3u);
}

// Whoever reads for long, as a container's union does, may be short of descriptors while the index
// is made anew: what it does not find then it finds later.
TEST_F(StoreTest, AReaderThatHadNoDescriptorForAPackFindsItLater) {
  SampleLayer sample;
  sample.file("f", content_of(3000, 1));
  load(sample);
  close();
  fs::remove(path() + "/index.tbl");
  int failures = 3;
  auto before = [&](const TracedCall& call) -> Decision {
    bool pack = call.number == SYS_openat && call.paths().back().ends_with(".pack");
    if (!pack || failures-- <= 0) return {};
    return {Decision::Kind::refuse, EMFILE};
  };
  auto body = [&] {
    Store opened = must(Store::open(path()));
    auto read = [&] {
      return opened.write_layer_tar(sample.diff_id(),
                                    [](std::span<const std::byte>) { return Result<>(); });
    };
    int tries = 0;
    while (!read()) {
      if (++tries > 5) return 1;
    }
    return tries > 0 ? 0 : 2;  // else nothing was refused
  };
  EXPECT_EQ(run_traced(body, {.before = before}).status, 0);
}

// What was only not to be read for a moment is no damage that may be dropped.
TEST_P(FaultTest, AMendLosesNothing) {
  damage();
  damaged_ = true;
  check(SampleChanges::mend, 5);
}

const char* name_of(Mode mode) {
  constexpr const char* names[] = {"WhereACallFails", "WhereACallIsDoneAndFails",
                                   "WhereSpaceIsShort", "WhereSpaceEnds", "WhereAWriteIsCutShort"};
  return names[static_cast<size_t>(mode)];
}

void PrintTo(Mode mode, std::ostream* out) { *out << name_of(mode); }

std::string mode_name(const testing::TestParamInfo<Mode>& info) { return name_of(info.param); }

INSTANTIATE_TEST_SUITE_P(AtEachCall, FaultTest,
                         testing::Values(Mode::fails_once, Mode::is_done_and_fails,
                                         Mode::no_space_once, Mode::no_space_from_there_on,
                                         Mode::halved),
                         mode_name);

}  // namespace
}  // namespace lyr::store
