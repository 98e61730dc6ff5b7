// SPDX-License-Identifier: Apache-2.0
#include "image/reference.h"

#include <gtest/gtest.h>

namespace lyr::image {
namespace {

const std::string hex(64, 'a');
const std::string at_digest = "@sha256:" + hex;

struct Good {
  std::string text;
  std::string canonical;
  std::string familiar;
};

TEST(ReferenceTest, whatIsWrittenHasOneCanonicalAndOneFamiliarForm) {
  const Good table[] = {
      {"debian", "docker.io/library/debian:latest", "debian:latest"},
      {"debian:12", "docker.io/library/debian:12", "debian:12"},
      {"user/app", "docker.io/user/app:latest", "user/app:latest"},
      {"library/debian", "docker.io/library/debian:latest", "debian:latest"},
      {"docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
      {"docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest"},
      {"index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
      {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
      {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
      {"localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"},
      {"registry.test/a/b/c:v1.2_3-4", "registry.test/a/b/c:v1.2_3-4",
       "registry.test/a/b/c:v1.2_3-4"},
      {"[2001:db8::1]:5000/x", "[2001:db8::1]:5000/x:latest", "[2001:db8::1]:5000/x:latest"},
      {"[::1]/x", "[::1]/x:latest", "[::1]/x:latest"},
      {"HOST/x", "HOST/x:latest", "HOST/x:latest"},
      {"a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest"},
      {"debian:5000", "docker.io/library/debian:5000", "debian:5000"},
      {"docker.io/docker.io/x", "docker.io/docker.io/x:latest", "docker.io/docker.io/x:latest"},
      {"host:5000/x", "host:5000/x:latest", "host:5000/x:latest"},
      {"debian" + at_digest, "docker.io/library/debian" + at_digest, "debian" + at_digest},
      {"debian:12" + at_digest, "docker.io/library/debian:12" + at_digest, "debian:12" + at_digest},
      {"x:" + std::string(128, 'T'), "docker.io/library/x:" + std::string(128, 'T'),
       "x:" + std::string(128, 'T')},
  };
  for (const Good& row : table) {
    auto reference = parse_reference(row.text);
    ASSERT_TRUE(reference.has_value()) << row.text;
    EXPECT_EQ(reference->canonical(), row.canonical) << row.text;
    EXPECT_EQ(reference->familiar(), row.familiar) << row.text;
    EXPECT_EQ(familiar(row.canonical), row.familiar) << row.text;
  }
}

TEST(ReferenceTest, whatIsNoReferenceSaysWhy) {
  const std::string table[] = {
      "",
      ":latest",
      "@sha256:" + hex,
      "Debian",
      "user/App",
      "a//b",
      "/a",
      "a/",
      "a/-b",
      "a_/b",
      "a___b",
      "a..b",
      "a._b",
      "-a",
      "a:",
      "a:.x",
      "a:-x",
      "a:x y",
      "a:" + std::string(129, 't'),
      "a@sha256:" + hex.substr(1),
      "a@sha256:" + std::string(64, 'A'),
      "a@md5:" + hex,
      "a@sha512:" + hex + hex,
      hex,
      "-host.x/a",
      "host-.x/a",
      "host:/a",
      "host:5x/a",
      "host..x/a",
      "[zz]/a",
      "[]/a",
      "[::1/a",
      "a b",
      "a\nb",
      std::string("a\0b", 3),
      "\xc3\xa9",
      "https://h/a",
      std::string(256, 'a'),
      "h.test/" + std::string(249, 'a'),
      hex + ":tag",
      std::string(5000, 'a'),
      "../a",
      "a/../b",
      "a:b:c",
  };
  for (const std::string& text : table) {
    auto reference = parse_reference(text);
    EXPECT_FALSE(reference.has_value()) << text;
    if (reference) continue;
    EXPECT_EQ(reference.error().code, EINVAL);
    EXPECT_NE(reference.error().subject, nullptr) << text;
  }
}

TEST(ReferenceTest, aNameThatIsNotCanonicalIsItsOwnFamiliarForm) {
  EXPECT_EQ(familiar("Not A Name"), "Not A Name");
  EXPECT_EQ(familiar("debian"), "debian");
}

}  // namespace
}  // namespace lyr::image
