// SPDX-License-Identifier: Apache-2.0
// The table of nodes: their names, their ids, and what a server that follows one that was killed
// makes of the ledger.
#include "unionfs/node.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "tests/store/tree_text.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;
using store::must;

constexpr auto let_go = [](Node&) {};

// The lower has /d and /e, and in each of them f0 to f9.
class Nodes : public testing::Test {
 protected:
  Nodes()
      : base_(fs::temp_directory_path() / ("lyr-nodes." + std::to_string(getpid()))),
        tree_(build()) {
    fs::remove_all(base_);
    store_.emplace(must(store::Store::open(base_)));
    lower_ = lower_from_tree(*store_, tree_);
  }
  ~Nodes() override { fs::remove_all(base_); }

  static store::Tree build() {
    store::LayerTreeBuilder builder;
    for (std::string directory : {"d", "e"}) {
      must(builder.add_directory(directory, {.mode = 0755}));
      for (int i = 0; i < 10; ++i)
        must(builder.add_file(directory + "/f" + std::to_string(i), {.mode = 0644}, 0, {}));
    }
    return store::built(builder);
  }
  Ino ino(Ino directory, std::string_view name) { return must(lower_->lookup(directory, name)); }

  // As if a lookup of it was answered.
  Node& know(NodeTable& table, Node& parent, std::string_view name) {
    Ino found = ino(parent.lower, name);
    Node& node = table.make({{.lower = found, .type = lower_->type(found)}});
    table.link(node, parent, name);
    table.count(node);
    return node;
  }
  // As if it was made.
  static Node& make(NodeTable& table, Node& parent, std::string_view name, uint32_t type,
                    uint64_t upper_ino) {
    Node& node = table.make(
        {{.ino = upper_ino + 1000, .upper_ino = upper_ino, .type = type, .in_upper = true}});
    table.link(node, parent, name);
    table.count(node);
    return node;
  }

  std::string base_;
  store::Tree tree_;
  std::optional<store::Store> store_;
  std::unique_ptr<Lower> lower_;
};

using Names = std::set<std::pair<uint64_t, std::string>>;
Names names_of(NodeTable& table, const Node& node) {
  Names names;
  for (const Link& link : table.links(node)) names.emplace(link.parent->id, link.name);
  return names;
}

// Directories go when nothing of theirs is known any more, also where a file had names in several.
TEST_F(Nodes, AreFreedWithTheirParents) {
  NodeTable table(*lower_);
  Node& one = make(table, table.root(), "one", S_IFDIR, 1);
  Node& two = know(table, table.root(), "d");
  Node& file = make(table, one, "file", S_IFREG, 2);
  table.link(file, two, "f1");
  uint64_t ids[] = {one.id, two.id, file.id};
  for (uint64_t id : ids) table.forget(id, 1, let_go);
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(Nodes, AreFoundByTheNamesTheyHave) {
  NodeTable table(*lower_);
  Node& d = know(table, table.root(), "d");
  Node& e = know(table, table.root(), "e");
  Node& file = know(table, d, "f3");
  EXPECT_EQ(table.child(d, "f3"), &file);
  EXPECT_EQ(table.child(e, "f3"), nullptr);
  table.link(file, e, "other");
  table.link(file, e, "f9");
  EXPECT_EQ(names_of(table, file), (Names{{d.id, "f3"}, {e.id, "f9"}, {e.id, "other"}}));
  table.unlink(file, d, "f3");
  EXPECT_EQ(table.child(d, "f3"), nullptr);
  EXPECT_EQ(table.name(file), "other");
  EXPECT_EQ(table.parent(file), &e);
  table.unlink(file, e, "f8");  // it has no such name
  table.unlink(file, e, "f9");
  EXPECT_EQ(table.child(e, "other"), &file);
  table.unlink(file, e, "other");
  EXPECT_FALSE(file.has_name());
  EXPECT_EQ(table.links(file).size(), 0U);
  EXPECT_EQ(d.child_links + e.child_links, 0U);
}

TEST_F(Nodes, HaveIdsThatNoneHadBefore) {
  NodeTable table(*lower_);
  std::set<uint64_t> ids;
  for (int i = 0; i < 100; ++i) {
    Node& node = know(table, table.root(), i % 2 == 0 ? "d" : "e");
    uint64_t id = node.id;
    EXPECT_TRUE(ids.insert(id).second);
    EXPECT_EQ(table.find(id), &node);
    table.forget(id, 1, let_go);
    EXPECT_EQ(table.find(id), nullptr);
  }
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(12345), nullptr);
}

TEST_F(Nodes, AreTheSameInTheNextServer) {
  Ledger ledger = must(Ledger::make());
  std::map<uint64_t, Names> expected;
  uint64_t gone = 0;
  auto work = [&](NodeTable& table) {
    Node& d = know(table, table.root(), "d");
    Node& made = make(table, table.root(), std::string(255, 'n'), S_IFDIR, 7);
    Node& file = know(table, d, "f3");
    Node& linked = make(table, made, "", S_IFREG, 8);
    for (const char* name : {"a", "b", "c"}) table.link(linked, made, name);
    table.link(linked, d, "f4");
    table.unlink(linked, made, "");
    table.unlink(linked, made, "b");
    Node& raised = know(table, d, "f5");
    table.raise(raised, 9);
    table.unlink(raised, d, "f5");
    table.link(raised, made, "moved");
    Node& unnamed = know(table, d, "f6");
    table.unlink(unnamed, d, "f6");
    Node& forgotten = know(table, d, "f7");
    gone = forgotten.id;
    table.forget(gone, 1, let_go);
    for (const Node* node : {&d, &made, &file, &linked, &raised, &unnamed})
      expected[node->id] = names_of(table, *node);
  };
  pid_t child = fork();
  ASSERT_GE(child, 0);
  NodeTable table(*lower_);
  if (child == 0) {
    table.keep(ledger);
    work(table);
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  work(table);  // here, without a ledger, to know what is to be expected
  ASSERT_TRUE(ledger.resume());
  NodeTable next(*lower_);
  next.keep(ledger);
  next.revive([](Node&, int held) { EXPECT_EQ(held, 0); });
  EXPECT_EQ(next.size(), table.size());
  EXPECT_EQ(next.find(gone), nullptr);
  for (const auto& [id, names] : expected) {
    Node* node = next.find(id);
    Node* before = table.find(id);
    ASSERT_NE(node, nullptr) << id;
    EXPECT_EQ(names_of(next, *node), names) << id;
    for (const auto& [parent, name] : names)
      EXPECT_EQ(next.child(*next.find(parent), name), node) << name;
    EXPECT_EQ(node->lookups, before->lookups);
    EXPECT_EQ(node->lower, before->lower);
    EXPECT_EQ(node->type, before->type);
    EXPECT_EQ(node->in_upper, before->in_upper);
    EXPECT_EQ(node->more().upper_ino, before->more().upper_ino);
    EXPECT_EQ(next.ino(*node), table.ino(*before));
    EXPECT_EQ(node->child_links, before->child_links);
  }
  size_t bytes = ledger.bytes_used();
  ASSERT_NE(next.by_upper(9), nullptr);
  Node& fresh = know(next, next.root(), "e");
  EXPECT_FALSE(expected.contains(fresh.id));
  EXPECT_NE(fresh.id, gone);
  EXPECT_EQ(ledger.bytes_used(), bytes) << "the row of what was forgotten is used";
}

// What the one who is killed gave out: the last generation in an id of each row.
struct Issued {
  static constexpr size_t rows_max = 4096;
  std::array<std::atomic<uint32_t>, rows_max> generations;
  std::atomic<uint64_t> steps;
};

// Makes, names, raises and forgets at random, until it is killed.
[[noreturn]] void change_for_ever(NodeTable& table, Issued& issued, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint64_t> ids;
  for (uint64_t step = 0;; ++step) {
    issued.steps = step;
    uint64_t which = ids.empty() ? 0 : random() % ids.size();
    Node* node = ids.empty() ? nullptr : table.find(ids[which]);
    std::string name(random() % 60, 'x');
    name += std::to_string(random() % 20);
    if (node == nullptr || (ids.size() < 200 && random() % 3 == 0)) {
      bool upper = random() % 2 == 0;
      Node& made = table.make(
          {{.ino = step, .upper_ino = step, .lower = 2, .type = S_IFREG, .in_upper = upper}});
      issued.generations[made.row()] = static_cast<uint32_t>(made.id >> 32);
      table.link(made, table.root(), random() % 2 == 0 ? "d" : name);
      table.count(made);
      ids.push_back(made.id);
    } else if (random() % 3 == 0) {
      table.forget(node->id, node->lookups, let_go);
      ids.erase(ids.begin() + static_cast<ptrdiff_t>(which));
    } else if (random() % 3 == 0) {
      for (const Link& link : table.links(*node)) table.unlink(*node, *link.parent, link.name);
    } else if (random() % 3 == 0 && !node->in_upper) {
      table.raise(*node, step);
    } else {
      table.link(*node, table.root(), name);
    }
  }
}

// Looks at what the last server left, gives ids out, and goes on. What was wrong, if anything.
int serve_for_ever(Ledger& ledger, const Lower& lower, Issued& issued, uint64_t seed) {
  if (!ledger.resume()) return 1;
  NodeTable table(lower);
  table.keep(ledger);
  std::vector<uint64_t> known;
  table.revive([&](Node& node, int) { known.push_back(node.id); });
  std::set<std::string> names;
  for (uint64_t id : known) {
    Node& node = *table.find(id);
    if (node.type != S_IFREG || node.lower != 2) return 2;
    for (const Link& link : table.links(node)) {
      if (!names.insert(link.name).second) return 3;
      if (table.child(*link.parent, link.name) != &node) return 4;
    }
  }
  for (uint64_t id : known) table.forget(id, UINT32_MAX, let_go);
  if (table.size() != 1) return 5;
  known.clear();
  for (size_t i = 0; i < 300; ++i) {
    Node& made = table.make({{.lower = 2, .type = S_IFREG}});
    uint32_t before = issued.generations[made.row()];
    auto generation = static_cast<uint32_t>(made.id >> 32);
    if (before != 0 && generation <= before) return 6;
    issued.generations[made.row()] = generation;
    table.count(made);
    known.push_back(made.id);
  }
  for (uint64_t id : known) table.forget(id, 1, let_go);
  change_for_ever(table, issued, seed);
}

TEST_F(Nodes, AreWholeAtWhateverMomentTheServerIsKilled) {
  Ledger ledger = must(Ledger::make());
  void* memory =
      mmap(nullptr, sizeof(Issued), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* issued = new (memory) Issued;
  size_t bytes = 0;
  for (uint64_t round = 0; round < 200; ++round) {
    issued->steps = 0;
    // Each has but a copy of what this process has, as a keeper's children do.
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(serve_for_ever(ledger, *lower_, *issued, round));
    int status = 0;
    pid_t ended = 0;
    while (issued->steps < 300 && ended == 0) {
      std::this_thread::yield();
      ended = waitpid(child, &status, WNOHANG);
    }
    if (ended == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(round * 37 % 1000));
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
    }
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << ": " << WEXITSTATUS(status);
    if (round == 100) bytes = ledger.bytes_used();
  }
  EXPECT_LE(ledger.bytes_used(), bytes * 2) << "what a killed server lost is used again";
  munmap(memory, sizeof(Issued));
}

TEST(NameIndex, FindsWhatIsInIt) {
  NameIndex index;
  std::multiset<std::pair<uint32_t, uint32_t>> expected;
  std::mt19937 random(1);
  for (int i = 0; i < 60'000; ++i) {
    // Few hashes, near each other: long runs, many of one.
    uint32_t hash = (random() % 4 == 0 ? UINT32_MAX - 4000 : 0) + random() % 4000;
    uint32_t row = 1 + random() % 3;
    bool grows = i / 6'000 % 2 == 0;
    if (random() % 3 != 0 ? grows : !grows) {
      index.add(hash, row);
      expected.emplace(hash, row);
    } else {
      index.remove(hash, row);
      auto known = expected.find({hash, row});
      if (known != expected.end()) expected.erase(known);
    }
    for (uint32_t one : {1U, 2U, 3U}) {
      bool found = index.find(hash, [&](uint32_t at) { return at == one; }) == one;
      ASSERT_EQ(found, expected.contains({hash, one})) << i;
    }
  }
}

}  // namespace
}  // namespace lyr::unionfs
