// SPDX-License-Identifier: Apache-2.0
// What an import has allocated at most, counted: it may hardly grow with the number of files.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "store/import_objects.h"
#include "store/tree_model.h"
#include "tests/store/sample_layer.h"

namespace {

std::atomic<size_t> allocated = 0;
std::atomic<size_t> allocated_most = 0;

void* count_allocation(void* memory) {
  if (memory == nullptr) std::abort();
  size_t now = allocated += ::malloc_usable_size(memory);
  size_t most = allocated_most;
  while (most < now && !allocated_most.compare_exchange_weak(most, now)) continue;
  return memory;
}

void count_release(void* memory) {
  if (memory == nullptr) return;
  allocated -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

// For all tests of this program; none has too little memory.
void* operator new(size_t size) { return count_allocation(std::malloc(size)); }
void* operator new[](size_t size) { return count_allocation(std::malloc(size)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return count_allocation(std::malloc(size));
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return count_allocation(std::malloc(size));
}
void operator delete(void* memory) noexcept { count_release(memory); }
void operator delete[](void* memory) noexcept { count_release(memory); }
void operator delete(void* memory, size_t) noexcept { count_release(memory); }
void operator delete[](void* memory, size_t) noexcept { count_release(memory); }

namespace lyr::store {
namespace {

constexpr size_t file_count = 100'000;

class ImportMemoryTest : public StoreTest {
 protected:
  // A layer of small files, each of `content(i)`; what was allocated at most meanwhile.
  template <class Content>
  size_t most_for(const Content& content) {
    size_t before = allocated;
    allocated_most = before;
    Sha256 tar;
    LayerRecord record;
    Import import = must(store().begin_import());
    {
      LayerImport layer = must(import.begin_layer());
      for (size_t i = 0; i < file_count; ++i) {
        std::string path = "usr/share/d" + std::to_string(i / 500) + "/f" + std::to_string(i % 500);
        std::string text = content(i);
        std::string block = path + std::string(1024 - path.size(), '\0');  // as large as in a tar
        auto header = std::as_bytes(std::span(block));
        auto data = std::as_bytes(std::span(text));
        tar.update(header);
        tar.update(data);
        must(layer.inline_bytes(header));
        must(layer.begin_file(text.size()));
        must(layer.file_bytes(data));
        must(layer.tree().add_file(path, attr_of(0644), must(layer.end_file())));
      }
      record.diff_id = tar.finish();
      must(layer.finish(record));
    }
    must(import.commit(std::vector{image_of({record.diff_id})}, {}));
    EXPECT_EQ(must(store().open_layer_tree(record.diff_id)).inode_count(), file_count + 200 + 3);
    return allocated_most - before;
  }

  // The buffers of an import of anything, and some bytes for a file.
  static constexpr size_t buffers_bytes = 36 << 20;
};

TEST_F(ImportMemoryTest, HardlyGrowsWithTheNumberOfFiles) {
  size_t most = most_for([](size_t i) { return "content " + std::to_string(i); });
  EXPECT_LE(most, buffers_bytes + file_count * 120);
}

TEST_F(ImportMemoryTest, HardlyGrowsWithTheNumberOfEmptyFiles) {
  size_t most = most_for([](size_t) { return std::string(); });
  EXPECT_LE(most, buffers_bytes + file_count * 90);
}

TEST(TreeMemoryTest, AFileTakesSeventyBytesAndItsName) {
  TreeModel model;
  for (uint32_t i = 0; i < file_count; ++i) {
    TreeNode file;
    file.mode = S_IFREG | 0644;
    TreeExtentRecord extent{.file_offset = 0, .length = 10, .object = i, .object_offset = 0};
    must(model.set_content(file, 10, std::span(&extent, 1)));
    must(model.set_child(root_node, "f" + std::to_string(i), model.add(file)));
  }
  // While names can be found there is a half empty table of them, and one of their texts.
  EXPECT_LE(model.memory_bytes(), file_count * (70 + 2 * 22));
  model.drop_indexes();
  EXPECT_LE(model.memory_bytes(), file_count * 70);
}

// Of files that are mapped, in pages.
size_t mapped_pages() {
  std::string text = must(sys::read_file_at(sys::cwd(), "/proc/self/statm"));
  size_t pages = 0;
  EXPECT_EQ(std::sscanf(text.c_str(), "%*u %*u %zu", &pages), 1);
  return pages;
}

TEST(TreeMemoryTest, WhoChecksAllOfATreeKeepsLittleOfIt) {
  LayerTreeBuilder builder;
  for (size_t i = 0; i < file_count; ++i) {
    must(builder.add_file("d/f" + std::to_string(i), attr_of(0644), 0, {}));
  }
  std::vector<std::byte> bytes = bytes_of(builder);
  Fd file = must(unnamed_file(bytes));
  size_t before = mapped_pages();
  Tree tree = must(Tree::open(must(sys::dup(file))));
  EXPECT_LE(mapped_pages(), before + bytes.size() / 4096 / 4);
  EXPECT_NE(tree.lookup(tree.lookup(root_ino, "d"), "f99"), no_ino);
  Tree used = must(Tree::open(std::move(file), TreeCheck::checksum));
  EXPECT_GE(mapped_pages(), before + bytes.size() / 4096 / 2);  // it is about to be used
}

TEST_F(ImportMemoryTest, AnObjectTakesTwentyTwoBytes) {
  Fd directory = must(sys::open(testing::TempDir().c_str(), O_RDONLY | O_DIRECTORY));
  size_t before = allocated;
  ImportObjects objects(directory);
  for (uint32_t i = 0; i < file_count; ++i) {
    ObjectId id = ObjectId::of(std::as_bytes(std::span(&i, 1)));
    EXPECT_FALSE(must(objects.find(id)));
    must(objects.add(id, Place{.pack = 1, .offset = 8}));
  }
  EXPECT_LE(allocated - before, file_count * 22 + (1 << 20));
}

TEST_F(ImportMemoryTest, FindsEveryObjectByItsNumber) {
  Fd directory = must(sys::open(testing::TempDir().c_str(), O_RDONLY | O_DIRECTORY));
  ImportObjects objects(directory);
  std::vector<ObjectId> ids;
  for (uint32_t i = 0; i < file_count; ++i) {
    ids.push_back(ObjectId::of(std::as_bytes(std::span(&i, 1))));
    std::optional<Place> place;
    if (i % 3 != 0) place = Place{.pack = 7, .offset = 8 * uint64_t{i}};
    EXPECT_EQ(must(objects.add(ids[i], place)).number, i);
  }
  EXPECT_EQ(objects.written(), file_count - (file_count + 2) / 3);
  for (uint32_t i = 0; i < file_count; i += 7) {
    auto found = must(objects.find(ids[i]));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->number, i);
    ASSERT_EQ(found->place.has_value(), i % 3 != 0);
    EXPECT_EQ(found->place.value_or(Place{}).offset, i % 3 != 0 ? 8 * uint64_t{i} : 0);
  }
  TreeObjects named = objects.for_tree();
  for (uint32_t i = 0; i < file_count; ++i) ASSERT_EQ(must(named.id(i)), ids[i]);
  for (uint32_t i : {99'999u, 0u, 50'000u, 1023u, 1024u}) EXPECT_EQ(must(named.id(i)), ids[i]);
}

}  // namespace
}  // namespace lyr::store
