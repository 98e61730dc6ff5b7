// SPDX-License-Identifier: Apache-2.0
// Where the time of `lyr load` goes: an archive is loaded as lyr does it, with the CPU time of each
// of its threads, and then each stage is run alone on the same bytes.
//
//   bench_import ARCHIVE [TIMES]
//
// The archive's first layer is what the stages get. Works in $TMPDIR.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "base/sys_event.h"
#include "base/sys_process.h"
#include "bench/import_stages.h"
#include "image/load.h"
#include "store/store.h"
#include "tests/store/tree_text.h"

namespace lyr::bench {
namespace {

using store::must;

constexpr int sample_ms = 1;

double seconds() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

std::string make_directory() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = std::string(parent != nullptr ? parent : "/tmp") + "/lyr-bench-XXXXXX";
  CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

// CPU time by thread name, looked up again and again while the threads live: what they use costs
// them nothing to tell.
class ThreadTimes {
 public:
  ThreadTimes() {
    sample_all();
    before_ = times_;
    sampler_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  // Milliseconds by name.
  std::map<std::string, double> finish() {
    sampler_.request_stop();
    sampler_.join();
    std::map<std::string, double> by_name;
    for (const auto& [thread, time] : times_) by_name[time.name] += time.ms - before_[thread].ms;
    return by_name;
  }

 private:
  struct Time {
    std::string name;
    double ms = 0;
  };

  void run(const std::stop_token& stop) {
    sys::name_thread("sampler");
    while (!stop.stop_requested()) {
      sample_all();
      must(sys::nap(sample_ms));
    }
    sample_all();
  }
  void sample_all() {
    Fd tasks = must(sys::open("/proc/self/task", O_RDONLY | O_DIRECTORY));
    must(sys::read_directory(tasks, [&](const sys::DirectoryEntry& entry) {
      sample(tasks, std::string(entry.name));
      return true;
    }));
  }
  void sample(const Fd& tasks, const std::string& thread) {
    auto name = sys::read_file_at(tasks, (thread + "/comm").c_str());
    auto used = sys::read_file_at(tasks, (thread + "/schedstat").c_str());
    if (!name || !used || name->starts_with("sampler")) return;  // it has just ended
    name->pop_back();
    times_[thread] = {.name = *name, .ms = std::strtod(used->c_str(), nullptr) / 1e6};
  }

  std::map<std::string, Time> times_;
  std::map<std::string, Time> before_;
  std::jthread sampler_;
};

struct Run {
  double ms = 0;
  std::map<std::string, double> threads;
  uint64_t tar_bytes = 0;
};

Run load_once(const char* archive) {
  std::string directory = make_directory();
  Run run;
  {
    sys::name_thread("lyr");
    ThreadTimes times;
    double begun = seconds();
    auto store = must(store::Store::open(directory));
    must(image::load_archive(store, must(sys::open(archive, O_RDONLY)), nullptr,
                             {.default_repository = "bench"}));
    run.ms = (seconds() - begun) * 1e3;
    run.threads = times.finish();
    run.tar_bytes = must(store.sizes()).tar_bytes;
  }
  must(sys::remove_all_at(sys::cwd(), directory.c_str()));
  return run;
}

// In a process of its own, so that its peak memory is that of loading.
int show_loads(const char* archive, int times) {
  std::vector<Run> runs;
  for (int i = 0; i < times; ++i) runs.push_back(load_once(archive));
  std::ranges::sort(runs, {}, &Run::ms);
  const Run& median = runs[runs.size() / 2];
  struct rusage usage{};
  CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  double megabytes = static_cast<double>(median.tar_bytes) / 1e6;
  std::printf(
      "loaded %d times: %.0f ms (%.0f-%.0f), %.0f MB of tar, %.0f MB/s, peak memory %.0f MB\n",
      times, median.ms, runs.front().ms, runs.back().ms, megabytes, megabytes / median.ms * 1e3,
      static_cast<double>(usage.ru_maxrss) / 1e3);
  std::printf("  %-28s %8s %8s\n", "thread", "CPU ms", "of wall");
  for (const auto& [name, ms] : median.threads) {
    std::printf("  %-28s %8.1f %7.0f%%\n", name.c_str(), ms, ms / median.ms * 100);
  }
  std::fflush(stdout);
  return 0;
}

int run(const char* archive, int times) {
  auto child = must(sys::spawn([&] { return show_loads(archive, times); }));
  auto ending = must(sys::wait_pidfd(child.pidfd));
  if (!ending || ending->shell_code() != 0) return 1;
  std::string directory = make_directory();
  std::printf("each stage alone, median of %d:\n  %-28s %8s %8s %8s %8s\n", times, "stage", "MB",
              "CPU ms", "wall ms", "MB/s");
  show_stages(archive, directory, times);
  must(sys::remove_all_at(sys::cwd(), directory.c_str()));
  return 0;
}

}  // namespace
}  // namespace lyr::bench

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::fputs("usage: bench_import ARCHIVE [TIMES]\n", stderr);
    return 2;
  }
  int times = count == 3 ? std::atoi(arguments[2]) : 5;
  return lyr::bench::run(arguments[1], std::max(times, 1));
}
