// SPDX-License-Identifier: Apache-2.0
// What parses has one canonical form, which parses to itself; its familiar form names the same.
#include "image/reference.h"

#include <cstddef>
#include <cstdint>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::image;
  auto reference = parse_reference({reinterpret_cast<const char*>(data), size});
  if (!reference) return 0;
  auto canonical = parse_reference(reference->canonical());
  CHECK(canonical.has_value() && canonical->canonical() == reference->canonical());
  auto short_form = parse_reference(familiar(reference->canonical()));
  CHECK(short_form.has_value() && short_form->canonical() == reference->canonical());
  return 0;
}
