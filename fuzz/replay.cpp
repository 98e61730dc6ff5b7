// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over a directory of inputs, where libFuzzer is not linked. An empty directory
// fails: a corpus that got lost must not look like one that passed.
#include <dirent.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/sys_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

lyr::Result<size_t> replay(const char* path) {
  auto directory = TRY(lyr::sys::open(path, O_RDONLY | O_DIRECTORY));
  std::vector<std::string> names;
  TRY(lyr::sys::read_directory(directory, [&](const lyr::sys::DirectoryEntry& entry) {
    if (entry.type == DT_REG) names.emplace_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) {
    std::string input = TRY(lyr::sys::read_file_at(directory, name.c_str()));
    // A buffer of the exact size, so that a sanitizer sees a read past the end.
    std::vector<uint8_t> bytes(input.begin(), input.end());
    std::printf("%s\n", name.c_str());
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  return names.size();
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    auto count = replay(argv[i]);
    if (!count) {
      std::fprintf(stderr, "replay: %s\n", lyr::describe(count.error()).c_str());
      return 1;
    }
    if (*count == 0) {
      std::fprintf(stderr, "replay: %s: no inputs\n", argv[i]);
      return 1;
    }
  }
  return 0;
}
