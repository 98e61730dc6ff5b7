// SPDX-License-Identifier: Apache-2.0
// A container's records: any bytes in the place of one give a record or an error, and a record that
// was read is read again from what is written of it.
#include "engine/record.h"

#include <cstddef>
#include <cstdint>

#include "tests/engine/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::engine;
  static Scratch scratch;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"container.json", "exit.json", "state.json"}) scratch.write(name, text);
  const lyr::Fd& directory = scratch.directory();
  auto container = read_container(directory);
  if (container) {
    CHECK(write_container(directory, *container).has_value());
    auto again = read_container(directory);
    CHECK(again && again->id == container->id && again->command == container->command);
    CHECK(again->options.volumes.size() == container->options.volumes.size());
  }
  auto end = read_exit(directory);
  if (end && *end) {
    CHECK(write_exit(directory, **end).has_value());
    auto again = read_exit(directory);
    CHECK(again && *again && (*again)->exit_code == (*end)->exit_code);
  }
  auto run = read_run(directory);
  if (run && *run) {
    CHECK(write_run(directory, **run).has_value());
    auto again = read_run(directory);
    CHECK(again && *again && (*again)->container.pid == (*run)->container.pid);
  }
  return 0;
}
