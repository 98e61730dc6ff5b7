// SPDX-License-Identifier: Apache-2.0
#include "store/flush_ahead.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "base/sys_file.h"
#include "tests/store/sample_layer.h"
#include "tests/store/traced.h"

namespace lyr::store {
namespace {

// What a child that writes a file of two parts, the first of which is flushed ahead, does.
class FlushAheadTest : public testing::Test {
 protected:
  void SetUp() override {
    CHECK(::pipe2(began_, O_CLOEXEC) == 0);
    path_ = testing::TempDir() + "lyr-flush-XXXXXX";
    int made = ::mkstemp(path_.data());
    ASSERT_GE(made, 0);
    file_ = std::make_shared<const Fd>(made);
  }
  void TearDown() override {
    ::close(began_[0]);
    ::close(began_[1]);
    std::filesystem::remove(path_);
  }

  // The code of what finish() said; `decision`: on the flush ahead.
  int run(Decision decision) {
    auto before = [&](const TracedCall& call) -> Decision {
      if (call.number != SYS_fdatasync) return {};
      flushes_.push_back(call.thread);
      if (flushes_.size() > 1) return {};
      CHECK(::write(began_[1], "b", 1) == 1);
      return decision;
    };
    auto body = [&] {
      FlushAhead flush;
      flush.wrote(file_, "f", flush_ahead_bytes - 1);
      flush.wrote(file_, "f", 1);
      char sign = 0;
      CHECK(::read(began_[0], &sign, 1) == 1);
      flush.wrote(file_, "f", flush_ahead_bytes - 1);
      auto done = flush.finish(*file_, "f");
      if (done) return 0;
      return describe(done.error()).contains("f: ") ? done.error().code : 255;
    };
    Traced traced = run_traced(body, {.before = before});
    EXPECT_TRUE(WIFEXITED(traced.status));
    return WEXITSTATUS(traced.status);
  }

  int began_[2] = {-1, -1};
  std::string path_;
  std::shared_ptr<const Fd> file_;
  std::vector<pid_t> flushes_;  // which thread asked for each
};

TEST_F(FlushAheadTest, WhatIsThereIsFlushedWhileMoreIsMade) {
  EXPECT_EQ(run({}), 0);
  ASSERT_EQ(flushes_.size(), 2u);
  EXPECT_NE(flushes_[0], flushes_[1]);
}

// fdatasync(2) at the end succeeds: the kernel told of the bytes that it lost before.
TEST_F(FlushAheadTest, WhatWasLostAheadIsSaidAtTheEnd) {
  EXPECT_EQ(run({Decision::Kind::refuse, EIO}), EIO);
  EXPECT_EQ(flushes_.size(), 2u);
}

TEST_F(FlushAheadTest, WhatIsSmallIsFlushedOnce) {
  std::vector<pid_t> flushes;
  auto before = [&](const TracedCall& call) -> Decision {
    if (call.number == SYS_fdatasync) flushes.push_back(call.thread);
    return {};
  };
  auto body = [&] {
    FlushAhead flush;
    flush.wrote(file_, "f", flush_ahead_bytes - 1);
    return flush.finish(*file_, "f") ? 0 : 1;
  };
  EXPECT_EQ(run_traced(body, {.before = before}).status, 0);
  EXPECT_EQ(flushes.size(), 1u);
}

class FlushedImport : public StoreTest {};

TEST_F(FlushedImport, IsAbsentWhenAFlushOfItFailed) {
  SampleLayer sample;
  for (unsigned i = 0; i < 6; ++i) {
    size_t bytes = flush_ahead_bytes / 2;
    sample.file("f" + std::to_string(i), content_of(bytes, i));
  }
  close();
  bool failed = false;
  auto before = [&](const TracedCall& call) -> Decision {
    bool pack = call.number == SYS_fdatasync && call.paths().back().ends_with(".pack");
    if (!pack || failed) return {};
    failed = true;
    return {Decision::Kind::refuse, EIO};
  };
  auto body = [&] {
    Store opened = must(Store::open(path()));
    Import import = must(opened.begin_import());
    must(add(import, sample));
    ImageRecord image = image_of({sample.diff_id()});
    auto done = import.commit(std::span(&image, 1), {});
    return done ? 0 : done.error().code;
  };
  Traced traced = run_traced(body, {.before = before});
  EXPECT_TRUE(failed);
  EXPECT_EQ(WEXITSTATUS(traced.status), EIO);
  reopen();
  EXPECT_EQ(must(store().images()).size(), 0u);
  load(sample);
}

}  // namespace
}  // namespace lyr::store
