// SPDX-License-Identifier: Apache-2.0
// What happens to a tar when files go away while they are packed.
#include "engine/tar_packer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "image/tar_reader.h"
#include "tests/engine/scratch.h"

namespace lyr::engine {
namespace {

class TarPacking : public testing::Test {
 protected:
  // As one looked at a file with two names before.
  static struct stat of_two_names() {
    struct stat info{};
    info.st_mode = S_IFREG | 0644;
    info.st_nlink = 2;
    return info;
  }
  std::string lines() {
    EXPECT_TRUE(packer_.finish());
    std::string bytes = scratch_.read("tar");
    image::MemorySource source(std::as_bytes(std::span(bytes)));
    image::TarReader reader(source);
    std::string text;
    while (true) {
      auto entry = reader.next();
      if (!entry) return text + describe(entry.error());
      if (*entry == nullptr) return text;
      text += (*entry)->path + " " + std::to_string((*entry)->size);
      if (!(*entry)->link_target.empty()) text += " -> " + (*entry)->link_target;
      text += "\n";
    }
  }

  Scratch scratch_;
  Fd tar_ = sys::open_at(scratch_.directory(), "tar", O_RDWR | O_CREAT, 0600).value();
  TarPacker packer_{tar_, Keep::exact};
};

TEST_F(TarPacking, ANameIsALinkOnlyOfOneThatIsThere) {
  scratch_.write("second", "content");
  scratch_.write("third", "content");
  auto gone = packer_.add(scratch_.directory(), "first", "first", of_two_names(), {0, 1});
  ASSERT_FALSE(gone);
  EXPECT_TRUE(may_be_left_out(gone.error()));
  for (const char* name : {"second", "third"})
    ASSERT_TRUE(packer_.add(scratch_.directory(), name, name, of_two_names(), {0, 1}));
  EXPECT_EQ(lines(), "second 7\nthird 0 -> second\n");
}

TEST_F(TarPacking, AFileThatHasBecomeASocketOrADirectoryIsNotThere) {
  struct sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::string path = scratch_.path() + "/socket";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address), 0);
  scratch_.open("directory");
  scratch_.write("file", "content");
  for (const char* name : {"socket", "directory", "file"})
    ASSERT_TRUE(packer_.add(scratch_.directory(), name, name, of_two_names(), {0, 1}));
  EXPECT_EQ(lines(), "file 7\n");
}

TEST_F(TarPacking, AnOwnerThatIsGivenCounts) {
  scratch_.write("file", "content");
  struct stat info = of_two_names();
  ASSERT_TRUE(packer_.add(scratch_.directory(), "file", "file", info, {0, 1},
                          unionfs::Owner{.uid = 999, .gid = 998}));
  ASSERT_TRUE(packer_.finish());
  std::string bytes = scratch_.read("tar");
  image::MemorySource source(std::as_bytes(std::span(bytes)));
  image::TarReader reader(source);
  auto entry = reader.next();
  ASSERT_TRUE(entry && *entry != nullptr);
  EXPECT_EQ((*entry)->attr.uid, 999u);
  EXPECT_EQ((*entry)->attr.gid, 998u);
}

}  // namespace
}  // namespace lyr::engine
