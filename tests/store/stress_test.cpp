// SPDX-License-Identifier: Apache-2.0
// Imports, removals, collections, compactions, scrubs and readers all at once, in several threads
// and processes: what is visible is always whole, and in the end nothing is left over.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

constexpr unsigned images = 6;
constexpr unsigned rounds = 12;
std::atomic<int> unlucky_reads = 0;

// They share half of their content, so that each builds on what others brought and others remove.
// Of a large file only a little is shared: that is written again.
SampleLayer sample_of(unsigned number) {
  SampleLayer sample;
  sample.file("large", content_of(900000, 1000 + number) + content_of(250000, 1000));
  for (unsigned i = 0; i < 8; ++i) {
    sample.file("shared" + std::to_string(i), content_of(2000 + 30000 * (i % 3), i));
    sample.file("own" + std::to_string(i), content_of(1500 + 20000 * (i % 4), 100 * number + i));
  }
  return sample;
}

Result<> import_one(Store& store, const SampleLayer& sample) {
  ImageRecord image = image_of({sample.diff_id()});
  Import import = TRY(store.begin_import());
  bool known = TRY(import.has_layer(sample.diff_id()));
  if (!known) {
    LayerImport layer = TRY(import.begin_layer());
    TRY(sample.try_feed(layer));
    TRY(layer.finish(sample.record()));
  }
  return import.commit(std::span(&image, 1), {});
}

// An image that is here can be read, unless it was removed while we did.
Result<> read_one(Store& store, const SampleLayer& sample) {
  for (;;) {
    auto image = TRY(store.image(image_of({sample.diff_id()}).id));
    if (!image) return {};
    auto read = store.write_layer_tar(sample.diff_id(),
                                      [](std::span<const std::byte>) -> Result<> { return {}; });
    if (read) return {};
    auto after = TRY(store.image(image->id));
    // It may have gone and come back; that it always does so just then cannot be.
    if (after && ++unlucky_reads > 200) return read;
  }
}

// What one of the workers does in a round; all differ.
Result<> step(Store& store, unsigned worker, unsigned round) {
  SampleLayer sample = sample_of((worker * 7 + round) % images);
  switch (worker % 4) {
    case 0:
    case 1:
      return import_one(store, sample);
    case 2: {
      auto removed = store.remove_image(image_of({sample.diff_id()}).id);
      if (!removed && removed.error().code != ENOENT) return removed;
      TRY(store.collect({.compress = round % 3 == 0}));
      return {};
    }
    default:
      if (round % 4 == 3) {
        auto report = TRY(store.scrub({.mend = round % 8 == 7}));
      }
      return read_one(store, sample);
  }
}

Result<> work(Store& store, unsigned worker) {
  for (unsigned round = 0; round < rounds; ++round) {
    auto done = step(store, worker, round);
    if (!done) return done;
  }
  return {};
}

class StressTest : public StoreTest {
 protected:
  // All that is here is exact, and goes without a trace.
  void check_and_clear() {
    reopen();
    ScrubReport report = must(store().scrub({}));
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.what;
    for (unsigned i = 0; i < images; ++i) {
      SampleLayer sample = sample_of(i);
      Digest id = image_of({sample.diff_id()}).id;
      if (!must(store().image(id))) continue;
      EXPECT_EQ(tar_of(sample.diff_id()), sample.tar());
      must(store().remove_image(id));
    }
    must(store().collect({}));
    EXPECT_EQ(files(), "");
  }
};

TEST_F(StressTest, Threads) {
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> workers;
    for (unsigned worker = 0; worker < 6; ++worker) {
      workers.emplace_back([&, worker] {
        auto done = work(store(), worker);
        if (!done) {
          ++failures;
          std::fprintf(stderr, "worker %u: %s\n", worker, describe(done.error()).c_str());
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  check_and_clear();
}

TEST_F(StressTest, Processes) {
  close();
  std::vector<sys::Child> workers;
  for (unsigned worker = 0; worker < 6; ++worker) {
    workers.push_back(must(sys::spawn([&, worker] {
      auto opened = Store::open(path());
      if (!opened) return 1;
      auto done = work(*opened, worker);
      if (!done) std::fprintf(stderr, "worker %u: %s\n", worker, describe(done.error()).c_str());
      return done ? 0 : 2;
    })));
  }
  for (const sys::Child& worker : workers) {
    EXPECT_EQ(must(sys::wait_pidfd(worker.pidfd))->shell_code(), 0);
  }
  check_and_clear();
}

// Each is killed somewhere; the others go on.
TEST_F(StressTest, KilledProcesses) {
  for (unsigned kill_after = 1; kill_after <= 8; ++kill_after) {
    close();
    std::vector<sys::Child> workers;
    for (unsigned worker = 0; worker < 4; ++worker) {
      workers.push_back(must(sys::spawn([&, worker] {
        auto opened = Store::open(path());
        return opened && work(*opened, worker + kill_after) ? 0 : 2;
      })));
    }
    // No time is waited for: each kill comes when another worker has come to its end.
    must(sys::pidfd_send_signal(workers[kill_after % 3].pidfd, SIGKILL));
    static_cast<void>(must(sys::wait_pidfd(workers[3].pidfd)));
    must(sys::pidfd_send_signal(workers[(kill_after + 1) % 3].pidfd, SIGKILL));
    for (unsigned worker = 0; worker < 3; ++worker) {
      static_cast<void>(must(sys::wait_pidfd(workers[worker].pidfd)));
    }
    reopen();
    ScrubReport report = must(store().scrub({}));
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.what;
  }
  check_and_clear();
}

}  // namespace
}  // namespace lyr::store
