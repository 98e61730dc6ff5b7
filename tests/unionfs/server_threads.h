// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace lyr::unionfs {

// How many system calls of the process's threads of that name have written something: a server's
// makes one for each answer at least. 0: there is no such thread.
inline long system_calls_to_write(pid_t process, std::string_view thread) {
  namespace fs = std::filesystem;
  long calls = 0;
  std::error_code ends;  // a thread may end meanwhile
  fs::directory_iterator tasks("/proc/" + std::to_string(process) + "/task", ends);
  for (; !ends && tasks != fs::directory_iterator(); tasks.increment(ends)) {
    std::string comm, field;
    std::ifstream named(tasks->path() / "comm"), counts(tasks->path() / "io");
    std::getline(named, comm);
    long count = 0;
    while (comm == thread && counts >> field >> count) calls += field == "syscw:" ? count : 0;
  }
  return calls;
}

}  // namespace lyr::unionfs
