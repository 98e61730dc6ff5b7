// SPDX-License-Identifier: Apache-2.0
// A tar that is unpacked into a directory stays in it, whatever it says. The first byte chooses
// how; beside the directory stand a file and a directory that must not change.
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>

#include "engine/tree_copy.h"
#include "tests/engine/scratch.h"

namespace {

using namespace lyr;
using namespace lyr::engine;

void check_outside(const Scratch& scratch) {
  CHECK(scratch.read("beside") == "untouched");
  auto info = sys::stat_at(scratch.directory(), "beside");
  CHECK(info && info->st_nlink == 1 && (info->st_mode & 07777) == 0644);
  auto directory = sys::stat_at(scratch.directory(), "outside");
  CHECK(directory && directory->st_nlink == 2 && (directory->st_mode & 07777) == 0755);
  Fd outside = scratch.open("outside");
  CHECK(sys::read_directory(outside, [](const auto&) {
          CHECK(false);
          return true;
        }).has_value());
  size_t names = 0;
  CHECK(sys::read_directory(scratch.directory(), [&](const auto&) { return ++names > 0; }));
  CHECK(names == 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Scratch scratch;
  scratch.write("beside", "untouched");
  scratch.open("outside");
  Fd root = scratch.open("root");
  CHECK(sys::mkdir_all_at(root, "there/below", 0755).has_value());
  CHECK(sys::symlink_at("../../outside", root, "there/away").has_value());
  const UnpackOptions options{.contents = (data[0] & 1) != 0,
                              .any_stream = (data[0] & 2) != 0,
                              .keep_owner = (data[0] & 4) != 0};
  const char* path = (data[0] & 8) != 0 ? "/there" : (data[0] & 16) != 0 ? "/there/new" : "/";
  Fd tar = scratch.stream({reinterpret_cast<const char*>(data) + 1, size - 1});
  auto unpacked = unpack_tree(root, path, tar, options);
  static_cast<void>(unpacked);  // an error, or not: what counts is where it wrote
  check_outside(scratch);
  return 0;
}
