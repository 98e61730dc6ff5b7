// SPDX-License-Identifier: Apache-2.0
// Any bytes after a pack's header are frames, a footer, or nothing; none are read past their end,
// and a frame is believed only when its checksum holds.
#include "store/pack.h"

#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"

namespace {

using namespace lyr;
using namespace lyr::store;

// A directory that is gone when the program ends, with one file in it that is written again and
// again.
struct Packs {
  Packs() {
    char path[] = "/tmp/lyr-fuzz-XXXXXX";
    CHECK(::mkdtemp(path) != nullptr);
    directory = std::move(*sys::open(path, O_RDONLY | O_DIRECTORY));
    file = std::move(*sys::open_at(directory, pack_name(1).c_str(), O_RDWR | O_CREAT, 0600));
    name = path;
  }
  ~Packs() { static_cast<void>(sys::remove_all_at(sys::cwd(), name.c_str())); }
  Fd directory;
  Fd file;
  std::string name;
};

void read_all(const PackReader& pack, const std::vector<PackFooterEntry>& entries, bool good) {
  std::vector<std::byte> raw(object_bytes_max);
  for (const PackFooterEntry& entry : entries) {
    auto header = pack.header(entry.offset);
    if (good) CHECK(header.has_value());
    if (!header) continue;
    auto read = pack.read_object(entry.offset, *header, std::span(raw).first(header->raw_bytes));
    if (good) CHECK(read.has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Packs packs;
  if (!sys::truncate(packs.file, 0)) return 0;
  if (!sys::pwrite_all(packs.file, std::as_bytes(std::span(data, size)), 0)) return 0;
  auto pack = PackReader::open(packs.directory, 1, size);
  if (!pack) return 0;
  auto listed = pack->footer();
  if (listed) read_all(*pack, *listed, false);
  auto scanned = pack->scan();
  if (scanned) read_all(*pack, *scanned, true);
  return 0;
}
