// SPDX-License-Identifier: Apache-2.0
#include "store/lease.h"

#include <fcntl.h>

#include <cstring>

#include "base/sys_file.h"

namespace lyr::store {
namespace {

// Packs and layers each have half of the offsets a file can have. Two that share a byte would only
// keep each other longer than need be.
constexpr uint64_t half = uint64_t{1} << 62;

uint64_t byte_of(PackNumber pack) { return pack % half; }

uint64_t byte_of(const Digest& diff_id) {
  uint64_t first = 0;
  std::memcpy(&first, diff_id.bytes.data(), sizeof first);
  return half + first % half;
}

Result<bool> lock(const Fd& file, short type, uint64_t byte) {
  auto locked = sys::lock_byte(file, type, byte);
  if (locked) return true;
  if (locked.error().code == EWOULDBLOCK) return false;
  return about(Result<bool>(std::unexpected(std::move(locked).error())), "leases");
}

}  // namespace

Result<Leases> Leases::open(const Fd& directory) {
  Fd file = TRY(about(sys::open_at(directory, "leases", O_RDWR | O_CREAT, 0600), "leases"));
  return Leases(std::move(file));
}

Result<bool> Leases::share(PackNumber pack) const { return lock(file_, F_RDLCK, byte_of(pack)); }
Result<bool> Leases::share(const Digest& diff_id) const {
  return lock(file_, F_RDLCK, byte_of(diff_id));
}
Result<bool> Leases::take(PackNumber pack) const { return lock(file_, F_WRLCK, byte_of(pack)); }
Result<bool> Leases::take(const Digest& diff_id) const {
  return lock(file_, F_WRLCK, byte_of(diff_id));
}

}  // namespace lyr::store
