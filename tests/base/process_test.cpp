// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_program.h"

namespace lyr {
namespace {

// In memory that children share.
class SharedMutex {
 public:
  SharedMutex() {
    void* memory = ::mmap(nullptr, sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mutex_ = static_cast<pthread_mutex_t*>(memory);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex_, &kind);
    pthread_mutexattr_destroy(&kind);
  }
  ~SharedMutex() { ::munmap(mutex_, sizeof *mutex_); }
  pthread_mutex_t* get() { return mutex_; }

 private:
  pthread_mutex_t* mutex_;
};

TEST(Process, AMutexOfAKilledChildIsGivenBack) {
  SharedMutex mutex;
  auto child = sys::spawn([&] {
    if (pthread_mutex_lock(mutex.get()) != 0) return 1;
    ::raise(SIGKILL);
    return 2;
  });
  ASSERT_TRUE(child);
  auto ending = sys::wait_pidfd(child->pidfd);
  ASSERT_TRUE(ending && *ending);
  EXPECT_EQ((*ending)->shell_code(), 128 + SIGKILL);
  EXPECT_EQ(pthread_mutex_trylock(mutex.get()), EOWNERDEAD);
}

TEST(Process, AProgramHasWhatItIsGiven) {
  auto words = sys::pipe();
  auto kept = sys::pipe();
  ASSERT_TRUE(words && kept);
  std::string to_kept = "/proc/self/fd/" + std::to_string(kept->write.get());
  sys::Program program{.name = "sh"};
  program.arguments = {"-c", "printf %s \"$GIVEN $1\" >&2; test -e " + to_kept + " && exit 7", "sh",
                       "a b"};
  program.environment = {"GIVEN=word"};
  program.standard_error = &words->write;
  program.kept = &kept->write;
  auto pid = sys::start_program(program);
  ASSERT_TRUE(pid);
  auto ending = sys::wait_pid(*pid);
  ASSERT_TRUE(ending && *ending);
  EXPECT_EQ((*ending)->shell_code(), 7);
  std::array<std::byte, 64> text;
  auto got = sys::read(words->read, text);
  ASSERT_TRUE(got);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(text.data()), *got), "word a b");
  auto none = sys::start_program({.name = "lyr-has-no-such-program"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ENOENT);
}

TEST(Process, AChildsThreadKnowsItsOwnNumber) {
  auto child = sys::spawn([] {
    // glibc looks a thread up by it.
    int policy = 0;
    struct sched_param parameters{};
    return pthread_getschedparam(pthread_self(), &policy, &parameters) == 0 ? 0 : 1;
  });
  ASSERT_TRUE(child);
  auto ending = sys::wait_pidfd(child->pidfd);
  ASSERT_TRUE(ending && *ending);
  EXPECT_EQ((*ending)->shell_code(), 0);
}

}  // namespace
}  // namespace lyr
