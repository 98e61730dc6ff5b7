// SPDX-License-Identifier: Apache-2.0
#include "image/layer_name.h"

#include <gtest/gtest.h>

namespace lyr::image {
namespace {

TEST(LayerNameTest, namesMeanWhatTheImageSpecSays) {
  using Kind = LayerName::Kind;
  const struct {
    const char* name;
    Kind kind;
    const char* path;
  } table[] = {
      {"a/b", Kind::entry, "a/b"},
      {"./a", Kind::entry, "./a"},
      {"a/.wh.b", Kind::whiteout, "a/b"},
      {".wh.b", Kind::whiteout, "b"},
      {"./.wh.b", Kind::whiteout, "./b"},
      {"a/.wh..hidden", Kind::whiteout, "a/.hidden"},
      {"a/.wh..wh..opq", Kind::opaque, "a/"},
      {".wh..wh..opq", Kind::opaque, "."},
      {".wh..wh.aufs", Kind::ignored, ".wh..wh.aufs"},
      {".wh..wh.plnk/1.2", Kind::ignored, ".wh..wh.plnk/1.2"},
      {"a/.wh..wh.orph/b", Kind::ignored, "a/.wh..wh.orph/b"},
      {"a/.whb", Kind::entry, "a/.whb"},
      {"a.wh.b", Kind::entry, "a.wh.b"},
  };
  for (const auto& row : table) {
    auto name = classify(row.name);
    ASSERT_TRUE(name.has_value()) << row.name;
    EXPECT_EQ(name->kind, row.kind) << row.name;
    EXPECT_EQ(name->path, row.path) << row.name;
  }
  for (const char* name : {".wh.", "a/.wh.", "a/.wh..", "a/.wh...", "a/.wh.b/c", ".wh.a/.wh.b"}) {
    auto refused = classify(name);
    ASSERT_FALSE(refused.has_value()) << name;
    EXPECT_EQ(refused.error().code, EBADMSG);
  }
}

}  // namespace
}  // namespace lyr::image
