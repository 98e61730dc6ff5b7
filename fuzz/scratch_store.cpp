// SPDX-License-Identifier: Apache-2.0
#include "fuzz/scratch_store.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/check.h"

namespace lyr::fuzz {
namespace {

constexpr unsigned runs_between_collections = 64;

store::Store open_store(const std::string& directory) {
  Digest::of("");  // OpenSSL reads its configuration when it is first asked: outside of the fence
  auto store = store::Store::open(directory);
  CHECK(store.has_value());
  return std::move(*store);
}

}  // namespace

ScratchStore::ScratchStore()
    : store_(open_store(directory_.path() + "/store")), fence_(directory_.fd()) {}

void ScratchStore::check_empty() {
  auto sizes = store_.sizes();
  CHECK(sizes.has_value() && sizes->images == 0 && sizes->layers == 0);
  auto tags = store_.tags();
  CHECK(tags.has_value() && tags->empty());
  if (++runs_ % runs_between_collections != 0) return;
  auto report = store_.collect({});
  CHECK(report.has_value() && report->packs_busy == 0 && report->packs_unreadable == 0);
  CHECK(report->references == 0 && report->dead_objects == report->objects);
  sizes = store_.sizes();
  CHECK(sizes.has_value() && sizes->packs == 0 && sizes->pack_bytes == 0);
}

void check_refusal(const Error& error) {
  constexpr int refusals[] = {EBADMSG, EINVAL,  ENAMETOOLONG,   ENOENT, ELOOP,
                              EFBIG,   ENOTDIR, EISDIR,         EPERM,  EEXIST,
                              EMLINK,  ENOTSUP, EPROTONOSUPPORT};
  if (std::ranges::find(refusals, error.code) != std::end(refusals)) return;
  std::fprintf(stderr, "refused: %s\n", describe(error).c_str());
  CHECK(false);
}

}  // namespace lyr::fuzz
