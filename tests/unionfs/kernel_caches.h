// SPDX-License-Identifier: Apache-2.0
// The kernel's caches are everybody's: a test that empties them waits for those that count what the
// kernel asks, and these for it. All are one program, which is what they lock.
#pragma once

#include <sys/file.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "base/sys_file.h"

namespace lyr::unionfs {

// As long as it lives nobody empties the caches.
inline Fd keep_kernel_caches() {
  auto program = sys::open("/proc/self/exe", O_RDONLY);
  CHECK(program && sys::flock(*program, LOCK_SH));
  return std::move(*program);
}

// Forgets what the kernel has cached and can let go of. Needs root, else nothing happens.
inline void drop_kernel_caches() {
  auto program = sys::open("/proc/self/exe", O_RDONLY);
  CHECK(program && sys::flock(*program, LOCK_EX));
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << "2";
}

}  // namespace lyr::unionfs
