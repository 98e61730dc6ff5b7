// SPDX-License-Identifier: Apache-2.0
// What the union keeps of each inode that the kernel knows: how many bytes that takes, that they
// are there again once it is forgotten, and that a server which follows has the same.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sys_file.h"
#include "tests/store/tree_text.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;
using store::must;

constexpr size_t directory_count = 400;
constexpr size_t file_count = 150;  // of each directory
constexpr size_t entry_count = directory_count * (file_count + 1);
constexpr double entry_bytes_max = 100;

// All that malloc has given out, what it keeps of it for itself too.
size_t heap_bytes() {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Of 13 to 32 bytes, as names in /usr are.
std::string name_of(size_t file) {
  return "file-" + std::string(file % 20, 'x') + std::to_string(10000 + file) + ".so";
}

store::Tree many_files() {
  store::LayerTreeBuilder builder;
  for (size_t i = 0; i < directory_count; ++i) {
    std::string directory = "d" + std::to_string(i);
    must(builder.add_directory(directory, {.mode = 0755}));
    for (size_t j = 0; j < file_count; ++j)
      must(builder.add_file(directory + "/" + name_of(j), {.mode = 0644}, 0, {}));
  }
  auto spool = must(builder.finish());
  auto view = must(spool.view());
  return must(store::tree_from(view.bytes));
}

class KnownNodes : public testing::Test {
 protected:
  KnownNodes() : base_(fs::temp_directory_path() / ("lyr-known." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    for (const char* directory : {"/upper", "/work"}) fs::create_directories(base_ + directory);
    store_.emplace(must(store::Store::open(base_ + "/store")));
  }
  ~KnownNodes() override { fs::remove_all(base_); }

  std::unique_ptr<Union> open_on(const store::Tree& tree, Ledger* ledger) const {
    Options options;
    options.lower = lower_from_tree(*store_, tree);
    options.upper = must(sys::open((base_ + "/upper").c_str(), O_RDONLY | O_DIRECTORY));
    options.work = must(sys::open((base_ + "/work").c_str(), O_RDONLY | O_DIRECTORY));
    options.trusted_xattrs = true;
    options.ledger = ledger;
    return must(Union::open(std::move(options)));
  }

  std::string base_;
  std::optional<store::Store> store_;
};

// Nodes that were told of, once for each time.
using Told = std::vector<uint64_t>;

// As READDIRPLUS does, in two parts, and a LOOKUP of each.
void list(Union& shown, uint64_t directory, Told& told) {
  size_t first = told.size();
  std::vector<std::string> names;
  uint64_t cookie = 0;
  for (size_t most : {file_count / 2, SIZE_MAX}) {
    must(shown.readdir(directory, cookie, true, [&](const Union::Entry& entry) {
      if (most-- == 0) return false;
      cookie = entry.cookie;
      if (entry.name == "." || entry.name == "..") return true;
      told.push_back(entry.found.node);
      names.emplace_back(entry.name);
      return true;
    }));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    auto found = must(shown.lookup(directory, names[i]));
    ASSERT_TRUE(found);
    ASSERT_EQ(found->node, told[first + i]) << names[i];
    told.push_back(found->node);
  }
}

void list_all(Union& shown, Told& told) {
  for (size_t i = 0; i < directory_count; ++i) {
    auto directory = must(shown.lookup(root_id, "d" + std::to_string(i)));
    ASSERT_TRUE(directory);
    told.push_back(directory->node);
    list(shown, directory->node, told);
  }
}

void forget_all(Union& shown, Told& told) {
  for (uint64_t node : told) shown.forget(node, 1);
  told.clear();
}

TEST_F(KnownNodes, TakeFewBytesAndGiveThemBack) {
  store::Tree tree = many_files();
  Ledger ledger = must(Ledger::make());
  auto shown = open_on(tree, &ledger);
  Told told;
  told.reserve(2 * entry_count);
  size_t heap_before = heap_bytes();
  size_t ledger_before = ledger.bytes_used();
  list_all(*shown, told);
  ASSERT_EQ(shown->known(), entry_count + 1);
  size_t heap = heap_bytes() - heap_before;
  if (heap == 0) GTEST_SKIP() << "this malloc does not tell what it gave out";
  size_t in_ledger = ledger.bytes_used() - ledger_before;
  double per_entry = static_cast<double>(heap + in_ledger) / entry_count;
  std::printf("%.1f bytes an entry, %.1f of them in the ledger\n", per_entry,
              static_cast<double>(in_ledger) / entry_count);
  EXPECT_LE(per_entry, entry_bytes_max);

  forget_all(*shown, told);
  EXPECT_EQ(shown->known(), 1U);
  list_all(*shown, told);
  EXPECT_LE(heap_bytes(), heap_before + heap + heap / 100) << "what was forgotten is used again";
  EXPECT_LE(ledger.bytes_used(), ledger_before + in_ledger);
  forget_all(*shown, told);
  EXPECT_EQ(shown->known(), 1U);
}

// Names of the upper, which are looked at to be listed, whether the kernel is told of them or not.
TEST_F(KnownNodes, OfTheUpperAreForgottenToo) {
  store::Tree tree = many_files();
  auto shown = open_on(tree, nullptr);
  Told told;
  Caller caller{};
  uint64_t own = must(shown->mkdir(root_id, "own", 0755, caller)).node;
  told.push_back(own);
  for (int i = 0; i < 10; ++i)
    told.push_back(must(shown->mknod(own, std::to_string(i), S_IFREG | 0644, 0, caller)).node);
  ASSERT_EQ(shown->known(), 12U);
  for (bool attributes : {true, false, true}) {
    forget_all(*shown, told);
    EXPECT_EQ(shown->known(), 1U);
    own = must(shown->lookup(root_id, "own"))->node;
    told.push_back(own);
    int names = 0;
    must(shown->readdir(own, 0, attributes, [&](const Union::Entry& entry) {
      ++names;
      if (entry.found.node != 0) told.push_back(entry.found.node);
      return true;
    }));
    EXPECT_EQ(names, 12);
  }
  forget_all(*shown, told);
  EXPECT_EQ(shown->known(), 1U);
}

}  // namespace
}  // namespace lyr::unionfs
