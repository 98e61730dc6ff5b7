// SPDX-License-Identifier: Apache-2.0
// What is seen of a container whose supervisor ends while somebody looks.
#include "engine/reconcile.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/engine/scratch.h"

namespace lyr::engine {
namespace {

TEST(Reconcile, AnEndWhileWeLookIsNotTheEndBefore) {
  Scratch scratch;
  Engine::State state;
  state.containers = scratch.open("containers");
  state.running = scratch.open("running");
  ContainerInfo written;
  written.id = std::string(64, 'a');
  written.image_id = Digest::of("image");
  ContainerDirectory directory{.id = written.id,
                               .persistent = scratch.open("containers/" + written.id),
                               .runtime = scratch.open("running/" + written.id)};
  ASSERT_TRUE(write_container(directory.persistent, written));
  ASSERT_TRUE(write_run(directory.runtime, {}));
  auto supervisor = ContainerLock::try_take(directory);
  ASSERT_TRUE(supervisor);
  ASSERT_TRUE(write_exit(directory.persistent, {.exit_code = 137, .error = "of the run before"}));
  std::string record = "containers/" + written.id + "/exit.json";
  std::string before = scratch.read(record.c_str());
  // In the record's place a pipe: who reads it waits there for us, and we for them.
  std::string path = scratch.path() + "/" + record;
  ASSERT_TRUE(sys::unlink_at(directory.persistent, "exit.json"));
  ASSERT_TRUE(sys::mknod_at(directory.persistent, "exit.json", S_IFIFO | 0600, 0));
  auto looking =
      std::async(std::launch::async, [&] { return inspect_container(state, written.id); });
  auto pipe = sys::open(path.c_str(), O_WRONLY);
  ASSERT_TRUE(pipe);

  ASSERT_TRUE(write_exit(directory.persistent, {.exit_code = 0, .error = ""}));
  ASSERT_TRUE(sys::unlink_at(directory.runtime, "state.json"));
  ASSERT_TRUE(sys::write_all(*pipe, before));
  pipe->reset();

  auto seen = looking.get();
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->status, Status::running);  // as it was when they began
  EXPECT_EQ((*seen)->exit_code, 0);
  EXPECT_EQ((*seen)->error, "");
}

}  // namespace
}  // namespace lyr::engine
