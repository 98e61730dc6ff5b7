// SPDX-License-Identifier: Apache-2.0
#include "sandbox/command_line.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::sandbox {

void rename_process(const char* name) {
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>(name)));
  // The kernel says where the command line lies in our memory (proc_pid_stat(5), fields 48 and 49)
  // and shows what is there now.
  auto text = sys::read_file_at(sys::cwd(), "/proc/self/stat");
  if (!text) return;
  size_t at = text->rfind(')');  // the name before it may hold anything
  for (int field = 2; field < 48 && at != text->npos; ++field) at = text->find(' ', at + 1);
  if (at == text->npos) return;
  char* end = nullptr;
  auto* first = reinterpret_cast<char*>(std::strtoul(text->c_str() + at, &end, 10));
  auto* last = reinterpret_cast<char*>(std::strtoul(end, nullptr, 10));
  if (first == nullptr || last <= first) return;
  auto size = static_cast<size_t>(last - first);
  std::memset(first, 0, size);
  std::memcpy(first, name, std::min(std::strlen(name), size - 1));
}

}  // namespace lyr::sandbox
