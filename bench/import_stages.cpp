// SPDX-License-Identifier: Apache-2.0
#include "bench/import_stages.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <span>
#include <vector>

#include "base/paired_sha256.h"
#include "base/sys_file.h"
#include "image/blob_source.h"
#include "image/decode.h"
#include "image/plan.h"
#include "image/tar_reader.h"
#include "store/chunker.h"
#include "store/frame_window.h"
#include "store/index.h"
#include "store/recipe.h"
#include "tests/store/tree_text.h"

namespace lyr::bench {
namespace {

using store::must;
using Bytes = std::span<const std::byte>;

constexpr size_t block_bytes = 512 << 10;

struct Cost {
  double cpu_ms = 0;
  double wall_ms = 0;
};

Cost measure(const std::function<void()>& stage) {
  auto cpu = [] {
    struct timespec now{};
    CHECK(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
  };
  auto begun = std::chrono::steady_clock::now();
  double cpu_begun = cpu();
  stage();
  std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begun;
  return {.cpu_ms = cpu() - cpu_begun, .wall_ms = wall.count()};
}

// One layer, and what lyr makes of it.
struct Layer {
  std::vector<std::byte> blob;  // as the archive has it
  std::vector<std::byte> tar;
  bool compressed = false;
  std::vector<Bytes> files;    // their content
  std::vector<Bytes> objects;  // what that is cut into
  std::vector<store::ObjectId> names;
};

std::vector<std::byte> read_whole(image::ByteReader& reader, size_t expected) {
  std::vector<std::byte> data;
  data.reserve(expected);
  std::vector<std::byte> block(block_bytes);
  while (size_t count = must(image::read_up_to(reader, block))) {
    data.insert(data.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(count));
  }
  return data;
}

image::Decoded decoder_of(const Layer& layer) {
  return must(image::open_decoded(std::make_unique<image::MemoryReader>(layer.blob)));
}

void walk(const Layer& layer, const std::function<void(Bytes)>& content) {
  image::MemorySource source(layer.tar);
  image::TarReader reader(source, [](Bytes) -> Result<> { return {}; });
  while (must(reader.next()) != nullptr) {
    for (Bytes data = must(reader.payload()); !data.empty(); data = must(reader.payload())) {
      content(data);
    }
  }
}

void cut(const Layer& layer, const std::function<void(Bytes)>& object) {
  for (Bytes rest : layer.files) {
    bool whole = rest.size() <= store::whole_file_bytes_max;
    while (!rest.empty()) {
      size_t length = whole ? rest.size() : store::first_chunk(rest);
      object(rest.first(length));
      rest = rest.subspan(length);
    }
  }
}

Layer read_layer(const char* archive) {
  auto file = std::make_shared<const Fd>(must(sys::open(archive, O_RDONLY)));
  auto bytes = static_cast<uint64_t>(must(sys::stat(*file)).st_size);
  auto source = must(image::ArchiveSource::index(file, bytes));
  auto plan = must(image::make_plan(source, "bench"));
  CHECK(!plan.empty() && !plan.front().layers.empty());
  Layer layer;
  auto reader = must(source.open(plan.front().layers.front().file));
  layer.blob = read_whole(*reader, bytes);
  auto decoded = decoder_of(layer);
  layer.compressed = decoded.compression != image::Compression::none;
  layer.tar = read_whole(*decoded.reader, layer.blob.size());
  walk(layer, [&](Bytes content) { layer.files.push_back(content); });
  cut(layer, [&](Bytes object) { layer.objects.push_back(object); });
  for (Bytes object : layer.objects) layer.names.push_back(store::ObjectId::of(object));
  return layer;
}

class Stages {
 public:
  Stages(const Layer& layer, const std::string& directory, int times)
      : layer_(layer),
        directory_(must(sys::open(directory.c_str(), O_RDONLY | O_DIRECTORY))),
        times_(times) {}

  void read(const char* archive) {
    Fd file = must(sys::open(archive, O_RDONLY));
    std::vector<std::byte> block(block_bytes);
    show("read (page cache)", layer_.blob.size(), [&] {
      for (uint64_t at = 0; size_t count = must(sys::pread(file, block, at)); at += count) {
      }
    });
  }
  void inflate() {
    if (!layer_.compressed) return;
    std::vector<std::byte> block(block_bytes);
    show("inflate", layer_.tar.size(), [&] {
      auto decoded = decoder_of(layer_);
      while (must(image::read_up_to(*decoded.reader, block)) > 0) {
      }
    });
    show("sha256 of the compressed file", layer_.blob.size(),
         [&] { static_cast<void>(Digest::of(Bytes(layer_.blob))); });
  }
  void read_tar() {
    show("tar headers", layer_.tar.size(), [&] { walk(layer_, [](Bytes) {}); });
  }
  void chunk() {
    show("chunk", sum(layer_.files), [&] { cut(layer_, [](Bytes) {}); });
  }
  void index() {
    show("xxh3-128 of objects", sum(layer_.objects), [&] {
      for (Bytes object : layer_.objects) {
        auto key = XXH3_128bits(object.data(), object.size());
        CHECK(key.low64 + key.high64 != 1);
      }
    });
    auto index = must(store::Index::open(directory_));
    show("index look-ups", layer_.names.size() * sizeof(store::ObjectId), [&] {
      for (const auto& name : layer_.names) index->find(name, [](const auto&) { return true; });
    });
  }
  void digest(const char* name, bool hardware) {
    std::vector<Digest> digests(layer_.objects.size());
    show(name, layer_.tar.size() + sum(layer_.objects), [&] {
      PairedSha256 hasher(hardware);
      hasher.begin_messages(layer_.objects, digests);
      hasher.update(layer_.tar);
      hasher.finish_messages();
      static_cast<void>(hasher.finish());
    });
  }
  // Frames into a pack file, and out of it again.
  void write() {
    std::vector<Cost> writes, replays, syncs;
    for (int i = 0; i < times_; ++i) {
      store::PackWrites queue;
      auto pack = must(store::PackWriter::create(directory_, queue));
      std::vector<store::Place> places;
      writes.push_back(measure([&] {
        for (size_t at = 0; at < layer_.objects.size(); ++at) {
          uint64_t offset = must(pack.append_borrowed(layer_.names[at], layer_.objects[at]));
          places.push_back({pack.number(), offset});
        }
        must(pack.flush());
        must(queue.finish());
      }));
      store::PackSet packs(directory_);
      store::FrameWindow window(packs);
      replays.push_back(measure([&] {
        for (size_t at = 0; at < places.size(); ++at) {
          must(window.read(places[at], layer_.names[at], layer_.objects[at].size()));
        }
      }));
      syncs.push_back(measure([&] { must(pack.seal()); }));
      must(sys::unlink_at(directory_, store::pack_name(pack.number()).c_str()));
    }
    print("write frames", sum(layer_.objects), writes);
    print("read frames back", sum(layer_.objects), replays);
    print("fsync after that", sum(layer_.objects), syncs);
  }
  void recipe() {
    show("recipe", layer_.tar.size(), [&] {
      store::RecipeWriter writer;
      size_t next = 0;
      image::MemorySource source(layer_.tar);
      image::TarReader reader(source, [&](Bytes data) { return writer.inline_bytes(data); });
      while (must(reader.next()) != nullptr) {
        for (Bytes data = must(reader.payload()); !data.empty(); data = must(reader.payload())) {
          must(writer.object(layer_.names[next++ % layer_.names.size()], data.size()));
        }
      }
      must(writer.finish(Digest()));
    });
  }

 private:
  static size_t sum(const std::vector<Bytes>& all) {
    size_t bytes = 0;
    for (Bytes one : all) bytes += one.size();
    return bytes;
  }
  void show(const char* name, size_t bytes, const std::function<void()>& stage) {
    std::vector<Cost> costs;
    for (int i = 0; i < times_; ++i) costs.push_back(measure(stage));
    print(name, bytes, costs);
  }
  static void print(const char* name, size_t bytes, std::vector<Cost>& costs) {
    std::ranges::sort(costs, {}, &Cost::wall_ms);
    const Cost& median = costs[costs.size() / 2];
    double megabytes = static_cast<double>(bytes) / 1e6;
    std::printf("  %-28s %8.1f %8.1f %8.1f %8.0f\n", name, megabytes, median.cpu_ms, median.wall_ms,
                megabytes / median.wall_ms * 1e3);
    std::fflush(stdout);
  }

  const Layer& layer_;
  Fd directory_;
  int times_;
};

}  // namespace

void show_stages(const char* archive, const std::string& directory, int times) {
  Layer layer = read_layer(archive);
  Stages stages(layer, directory, times);
  stages.read(archive);
  stages.inflate();
  stages.read_tar();
  stages.chunk();
  stages.index();
  if (PairedSha256::has_hardware()) stages.digest("sha256: tar and objects", true);
  stages.digest("  the same by OpenSSL", false);
  stages.write();
  stages.recipe();
}

}  // namespace lyr::bench
