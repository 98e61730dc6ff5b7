// SPDX-License-Identifier: Apache-2.0
// The store's inner speeds: import of a made-up layer, warm reads, look-ups in a tree and in the
// index. Figures against other programs come from bench/run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>

#include "store/index.h"
#include "store/liveness.h"
#include "store/store_state.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

// A store in a directory of its own, gone with the benchmark.
struct Scratch {
  Scratch() {
    const char* parent = std::getenv("TMPDIR");
    path = std::string(parent != nullptr ? parent : "/tmp") + "/lyr-bench-XXXXXX";
    CHECK(::mkdtemp(path.data()) != nullptr);
    store.emplace(must(Store::open(path)));
  }
  ~Scratch() {
    store.reset();
    must(sys::remove_all_at(sys::cwd(), path.c_str()));
  }
  std::string path;
  std::optional<Store> store;
};

SampleLayer layer_of(size_t files, size_t bytes) {
  SampleLayer layer;
  for (size_t i = 0; i < files; ++i) {
    layer.file("d" + std::to_string(i % 100) + "/f" + std::to_string(i),
               content_of(bytes, static_cast<unsigned>(i)));
  }
  return layer;
}

// As an image of its own, which a collection keeps.
void load(Store& store, const SampleLayer& sample, const LayerRecord& record) {
  Import import = must(store.begin_import());
  LayerImport layer = must(import.begin_layer());
  sample.feed(layer, 1 << 20);
  must(layer.finish(record));
  ImageRecord image;
  image.id = Digest::of("image");
  image.diff_ids = {record.diff_id};
  image.chain_id = chain_id_of(image.diff_ids);
  image.config_json = "{}";
  must(import.commit({&image, 1}, {}));
}

// Arguments: files, bytes of each. Durable, into an empty store.
void import_layer(benchmark::State& state) {
  SampleLayer layer =
      layer_of(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  LayerRecord record = layer.record();
  for (auto _ : state) {
    state.PauseTiming();
    auto scratch = std::make_unique<Scratch>();
    state.ResumeTiming();
    load(*scratch->store, layer, record);
    state.PauseTiming();
    scratch.reset();
    state.ResumeTiming();
  }
  state.SetBytesProcessed(static_cast<int64_t>(record.tar_bytes) * state.iterations());
}
BENCHMARK(import_layer)
    ->Args({10000, 10000})
    ->Args({1000, 200000})
    ->Args({4, 64 << 20})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Argument: bytes of one read.
void read_warm(benchmark::State& state) {
  Scratch scratch;
  SampleLayer layer = layer_of(1000, 100000);
  load(*scratch.store, layer, layer.record());
  Tree tree = must(scratch.store->open_layer_tree(layer.diff_id()));
  std::vector<std::byte> data(static_cast<size_t>(state.range(0)));
  std::mt19937 random(1);
  std::vector<Ino> files;
  for (Ino ino = root_ino; ino <= tree.inode_count(); ++ino) {
    if (tree.extent_count(ino) > 0) files.push_back(ino);
  }
  for (Ino ino : files) must(scratch.store->read_file(tree, ino, 0, data));
  for (auto _ : state) {
    uint64_t offset = random() % (100000 - data.size()) / 4096 * 4096;
    benchmark::DoNotOptimize(
        must(scratch.store->read_file(tree, files[random() % files.size()], offset, data)));
  }
  state.SetBytesProcessed(state.range(0) * state.iterations());
}
BENCHMARK(read_warm)->Arg(4096)->Arg(65536);

// Half of it is letters, so that it can be compressed.
SampleLayer text_layer(size_t file_bytes) {
  SampleLayer layer;
  for (unsigned i = 0; i < 1000; ++i) {
    std::string content = content_of(file_bytes, i);
    for (size_t at = 0; at < content.size(); at += 2) content[at] = 'a';
    layer.file("d0/f" + std::to_string(i), content);
  }
  return layer;
}

// Arguments: bytes of an object that this process has not read yet, so that it is checked whole
// though 4 KiB of it are read; and whether it is a compressed frame.
void read_first(benchmark::State& state) {
  Scratch scratch;
  SampleLayer layer = text_layer(static_cast<size_t>(state.range(0)));
  load(*scratch.store, layer, layer.record());
  if (state.range(1) != 0) {
    CollectOptions compact;
    compact.compress = true;
    CHECK(must(scratch.store->collect(compact)).packs_rewritten > 0);
  }
  std::vector<std::byte> data(4096);
  std::optional<Tree> tree;
  Ino next = no_ino;
  for (auto _ : state) {
    while (next != no_ino && tree->extent_count(next) == 0) next = next % tree->inode_count() + 1;
    if (next == no_ino || next == tree->inode_count()) {
      state.PauseTiming();
      scratch.store.emplace(must(Store::open(scratch.path)));
      tree.emplace(must(scratch.store->open_layer_tree(layer.diff_id())));
      for (next = root_ino; tree->extent_count(next) == 0;) ++next;
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(must(scratch.store->read_file(*tree, next++, 4096, data)));
  }
}
BENCHMARK(read_first)
    ->ArgNames({"object", "compressed"})
    ->ArgsProduct({{16 << 10, 100'000, 256 << 10}, {0, 1}});

// Argument: bytes of one read, one after another through a file of 200 MB.
void read_sequential(benchmark::State& state) {
  Scratch scratch;
  SampleLayer layer = layer_of(1, 200000000);
  load(*scratch.store, layer, layer.record());
  Tree tree = must(scratch.store->open_layer_tree(layer.diff_id()));
  Ino file = tree.lookup(tree.lookup(root_ino, "d0"), "f0");
  std::vector<std::byte> data(static_cast<size_t>(state.range(0)));
  uint64_t offset = 0;
  for (auto _ : state) {
    size_t got = must(scratch.store->read_file(tree, file, offset, data));
    offset = got < data.size() ? 0 : offset + got;
  }
  state.SetBytesProcessed(state.range(0) * state.iterations());
}
BENCHMARK(read_sequential)->Arg(128 << 10)->Arg(1 << 20);

constexpr size_t cold_file_bytes = 32 << 20;

// The objects of a file in no order, in four packs and with three times as much of other files
// between them: what a file is that others had before.
void scatter(Store& store, const std::string& content) {
  SampleLayer whole;
  whole.file("f", content);
  Scratch scratch;
  load(*scratch.store, whole, whole.record());
  Tree tree = must(scratch.store->open_layer_tree(whole.diff_id()));
  Ino file = tree.lookup(root_ino, "f");
  std::vector<uint32_t> order(tree.extent_count(file));
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::shuffle(order, std::mt19937(1));
  for (size_t pack = 0; pack < 4; ++pack) {
    SampleLayer parts;
    for (size_t i = pack; i < order.size(); i += 4) {
      Extent extent = tree.extent(file, order[i]);
      parts.file("f" + std::to_string(i), content.substr(extent.file_offset, extent.length));
      for (size_t other = 0; other < 3; ++other) {
        size_t number = i * 3 + other + 2;
        parts.file("o" + std::to_string(number),
                   content_of(64 << 10, static_cast<unsigned>(number)));
      }
    }
    load(store, parts, parts.record());
  }
  load(store, whole, whole.record());
}

// From here on what is read of the packs comes from the disk.
void leave_page_cache(const std::string& store) {
  Fd packs = must(sys::open((store + "/packs").c_str(), O_RDONLY | O_DIRECTORY));
  must(sys::read_directory(packs, [&](const sys::DirectoryEntry& entry) {
    auto pack = sys::open_at(packs, std::string(entry.name).c_str(), O_RDONLY);
    if (pack) CHECK(::posix_fadvise(pack->get(), 0, 0, POSIX_FADV_DONTNEED) == 0);
    return true;
  }));
}

// A file from the disk, by a process that has not read it yet. Arguments: bytes of one
// read, and whether its objects lie scattered.
void read_cold(benchmark::State& state) {
  Scratch scratch;
  std::string content = content_of(cold_file_bytes, 1);
  SampleLayer layer;
  layer.file("f", content);
  if (state.range(1) != 0) {
    scatter(*scratch.store, content);
  } else {
    load(*scratch.store, layer, layer.record());
  }
  std::vector<std::byte> data(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    scratch.store.emplace(must(Store::open(scratch.path)));
    Tree tree = must(scratch.store->open_layer_tree(layer.diff_id()));
    Ino file = tree.lookup(root_ino, "f");
    leave_page_cache(scratch.path);
    state.ResumeTiming();
    for (uint64_t at = 0; at < content.size(); at += data.size()) {
      benchmark::DoNotOptimize(must(scratch.store->read_file(tree, file, at, data)));
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(content.size()) * state.iterations());
}
BENCHMARK(read_cold)
    ->ArgNames({"read", "scattered"})
    ->ArgsProduct({{128 << 10, 1 << 20}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void look_up(benchmark::State& state) {
  LayerTreeBuilder builder;
  std::vector<std::string> names;
  for (int i = 0; i < 10000; ++i) {
    names.push_back("name" + std::to_string(i));
    must(builder.add_file("d/" + names.back(), attr_of(0644), 0, {}));
  }
  Tree tree = built(builder);
  Ino directory = tree.lookup(root_ino, "d");
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(tree.lookup(directory, names[i++ % names.size()]));
  }
}
BENCHMARK(look_up);

// Arguments: files, and whether every record is checked.
void tree_open(benchmark::State& state) {
  LayerTreeBuilder builder;
  for (int64_t i = 0; i < state.range(0); ++i) {
    std::string path = "d" + std::to_string(i / 1000) + "/f" + std::to_string(i);
    Extent extent{.length = 10, .object = {.sha256 = Digest::of(path)}};
    must(builder.add_file(path, attr_of(0644), 10, std::span(&extent, 1)));
  }
  auto bytes = bytes_of(builder);
  Fd file = must(unnamed_file(bytes));
  auto check = state.range(1) != 0 ? TreeCheck::everything : TreeCheck::checksum;
  for (auto _ : state) {
    benchmark::DoNotOptimize(must(Tree::open(must(sys::dup(file)), check)));
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(tree_open)
    ->ArgNames({"files", "all"})
    ->ArgsProduct({{10000, 500000}, {1, 0}})
    ->Unit(benchmark::kMillisecond);

// An index of a million objects, in packs of 3000.
struct MillionObjects {
  static constexpr uint64_t count = 1000000;

  MillionObjects() {
    directory = must(sys::open(scratch.path.c_str(), O_RDONLY | O_DIRECTORY));
    std::vector<IndexEntry> entries;
    for (uint64_t i = 0; i < count; ++i) {
      ObjectId key = key_of(i);
      Place place{.pack = i / 3000 + 1, .offset = (i % 3000 + 1) * 65536};
      entries.push_back({key.xxh3_low, key.xxh3_high, place});
    }
    must(must(Index::open(directory))->replace(entries, 1));
  }
  // The first `count` are in it. In no order that a cache could follow.
  static ObjectId key_of(uint64_t i) {
    return {.sha256 = {}, .xxh3_low = (i + 1) * 0x9e3779b97f4a7c15u, .xxh3_high = i};
  }

  Scratch scratch;
  Fd directory;
};

void index_open(benchmark::State& state) {
  MillionObjects objects;
  for (auto _ : state) benchmark::DoNotOptimize(must(Index::open(objects.directory)));
  auto status = must(sys::stat_at(objects.directory, "index.tbl"));
  state.counters["bytes"] = static_cast<double>(status.st_size);
}
BENCHMARK(index_open)->Unit(benchmark::kMicrosecond);

// Argument: whether the objects are there.
void index_find(benchmark::State& state) {
  MillionObjects objects;
  auto index = must(Index::open(objects.directory));
  std::mt19937_64 random(1);
  uint64_t from = state.range(0) != 0 ? 0 : MillionObjects::count;
  size_t found = 0;
  for (auto _ : state) {
    ObjectId key = MillionObjects::key_of(from + random() % MillionObjects::count);
    index->find(key, [&](const Place&) {
      ++found;
      return true;
    });
  }
  CHECK(found == (state.range(0) != 0 ? static_cast<size_t>(state.iterations()) : 0));
}
BENCHMARK(index_find)->ArgName("there")->Arg(1)->Arg(0);

// Argument: how many come with one commit, beside a million.
void index_add(benchmark::State& state) {
  MillionObjects objects;
  auto index = must(Index::open(objects.directory));
  std::vector<IndexEntry> entries(static_cast<size_t>(state.range(0)));
  uint64_t next = MillionObjects::count;
  for (auto _ : state) {
    for (IndexEntry& entry : entries) {
      ObjectId key = MillionObjects::key_of(next++);
      entry = {key.xxh3_low, key.xxh3_high, {.pack = 1, .offset = (next % 4000 + 1) * 65536}};
    }
    must(index->add(entries, 2));
  }
  state.SetItemsProcessed(state.range(0) * state.iterations());
}
BENCHMARK(index_add)->Arg(10000)->Unit(benchmark::kMillisecond);

// How fast a collection finds out what is needed. Argument: objects, each referred to once.
void mark(benchmark::State& state) {
  Scratch scratch;
  SampleLayer layer = layer_of(static_cast<size_t>(state.range(0)), 16);
  load(*scratch.store, layer, layer.record());
  scratch.store.reset();
  auto catalog = must(Catalog::open(scratch.path));
  Fd packs = must(sys::open((scratch.path + "/packs").c_str(), O_RDONLY | O_DIRECTORY));
  auto liveness = must(Liveness::of_packs(packs, catalog));
  std::string name = scratch.path + "/layers/" + recipe_name(layer.diff_id());
  Fd file = must(sys::open(name.c_str(), O_RDONLY));
  auto size = static_cast<size_t>(must(sys::stat(file)).st_size);
  for (auto _ : state) {
    auto mapping = must(sys::Mapping::read_only(file, size));
    liveness.mark(must(Recipe::parse(mapping.bytes())));
  }
  CHECK(liveness.missing() == 0);
  state.SetItemsProcessed(static_cast<int64_t>(liveness.references()));
}
BENCHMARK(mark)->Arg(500000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lyr::store

BENCHMARK_MAIN();
