// SPDX-License-Identifier: Apache-2.0
#include "unionfs/instances.h"

namespace lyr::unionfs {

uint32_t Instances::looked_up(store::Ino ino) {
  std::scoped_lock lock(mutex_);
  ledger_.count(ino);
  return ledger_.instance(ino);
}

void Instances::forgotten(store::Ino ino, uint64_t lookups) {
  std::scoped_lock lock(mutex_);
  if (ledger_.uncount(ino, lookups)) ledger_.begin_instance(ino);
}

}  // namespace lyr::unionfs
