// SPDX-License-Identifier: Apache-2.0
// A layer made up for tests (a stream that is "a tar" only to us: headers are lines of text), and a
// store in a directory of its own to put it in.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "store/store.h"
#include "tests/store/tree_text.h"

namespace lyr::store {

// Bytes that do not repeat, the same ones for the same seed.
inline std::string content_of(size_t size, unsigned seed) {
  std::string content(size, '\0');
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (char& byte : content) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return content;
}

// Bytes that zstd makes about half of.
inline std::string text_of(size_t size, unsigned seed) {
  std::string noise = content_of(size, seed);
  for (char& byte : noise) byte = static_cast<char>('a' + (static_cast<uint8_t>(byte) & 15));
  return noise;
}

class SampleLayer {
 public:
  void file(std::string path, std::string content) {
    entries_.push_back({std::move(path), std::move(content), false});
  }
  void whiteout(std::string path) { entries_.push_back({std::move(path), "", true}); }

  std::string tar() const {
    std::string tar;
    for (const Entry& entry : entries_) tar += header_of(entry) + entry.content;
    return tar + "end\n";
  }
  Digest diff_id() const { return Digest::of(tar()); }
  LayerRecord record() const {
    LayerRecord record;
    record.diff_id = diff_id();
    record.tar_bytes = tar().size();
    record.entries = static_cast<uint32_t>(entries_.size());
    return record;
  }

  // As image/apply_layer.h does it; content in pieces of at most `piece_bytes`.
  Result<> try_feed(LayerImport& layer, size_t piece_bytes = 300000) const {
    for (const Entry& entry : entries_) {
      std::string header = header_of(entry);
      TRY(layer.inline_bytes(std::as_bytes(std::span(header))));
      if (entry.whiteout) {
        TRY(layer.tree().add_whiteout(entry.path));
        continue;
      }
      TRY(layer.begin_file(entry.content.size()));
      auto rest = std::as_bytes(std::span(entry.content));
      while (!rest.empty()) {
        auto piece = rest.first(std::min(rest.size(), piece_bytes));
        TRY(layer.file_bytes(piece));
        rest = rest.subspan(piece.size());
      }
      FileContent content = TRY(layer.end_file());
      TRY(layer.tree().add_file(entry.path, attr_of(0644), std::move(content)));
    }
    return layer.inline_bytes(std::as_bytes(std::span(std::string_view("end\n"))));
  }
  void feed(LayerImport& layer, size_t piece_bytes = 300000) const {
    must(try_feed(layer, piece_bytes));
  }

 private:
  struct Entry {
    std::string path;
    std::string content;
    bool whiteout;
  };
  static std::string header_of(const Entry& entry) {
    return entry.path + " " + std::to_string(entry.content.size()) + "\n";
  }
  std::vector<Entry> entries_;
};

inline ImageRecord image_of(std::vector<Digest> diff_ids) {
  ImageRecord image;
  image.chain_id = chain_id_of(diff_ids);
  image.diff_ids = std::move(diff_ids);
  image.config_json = "config of " + image.chain_id.hex();
  image.id = Digest::of(image.config_json);
  return image;
}

// A layer that the store has is left alone.
inline Result<> add(Import& import, const SampleLayer& sample) {
  bool known = TRY(import.has_layer(sample.diff_id()));
  if (known) return {};
  LayerImport layer = TRY(import.begin_layer());
  TRY(sample.try_feed(layer));
  return layer.finish(sample.record());
}

// An image of two layers, a tag, and the upper layer's blob, in one transaction.
inline Result<> import_pair(Store& store, const SampleLayer& low, const SampleLayer& high,
                            const std::string& blob) {
  Import import = TRY(store.begin_import());
  TRY(add(import, low));
  TRY(add(import, high));
  bool kept = TRY(import.has_blob(high.diff_id()));
  if (!kept) {
    BlobImport pieces = TRY(import.begin_blob());
    TRY(pieces.write(std::as_bytes(std::span(blob))));
    pieces.finish();
    TRY(import.keep_blob(high.diff_id(), std::move(pieces), "a layer's type"));
  }
  ImageRecord image = image_of({low.diff_id(), high.diff_id()});
  Tag tag{"docker.io/library/x:latest", image.id};
  return import.commit(std::span(&image, 1), std::span(&tag, 1));
}

// Where an fsync costs nothing, for tests of hundreds of stores that look at no disk.
inline std::string memory_directory() {
  const char* asked = std::getenv("TEST_TMPDIR");
  bool here = asked == nullptr && sys::is_writable("/dev/shm");
  return here ? "/dev/shm/" : testing::TempDir();
}

class StoreTest : public testing::Test {
 protected:
  virtual std::string parent() const { return testing::TempDir(); }
  void SetUp() override {
    path_ = parent() + "lyr-store-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    store_.emplace(must(Store::open(path_)));
  }
  void TearDown() override {
    store_.reset();
    must(sys::remove_all_at(sys::cwd(), path_.c_str()));
  }

  Store& store() { return *store_; }
  const std::string& path() const { return path_; }
  void close() { store_.reset(); }
  void reopen() {
    close();
    store_.emplace(must(Store::open(path_)));
  }

  Digest load(const SampleLayer& sample) {
    Import import = must(store().begin_import());
    LayerImport layer = must(import.begin_layer());
    sample.feed(layer);
    must(layer.finish(sample.record()));
    ImageRecord image = image_of({sample.diff_id()});
    must(import.commit(std::span(&image, 1), {}));
    return sample.diff_id();
  }
  // Each in an import of its own, side by side: they do not see what the other one writes.
  void load_unseen(const std::vector<const SampleLayer*>& samples) {
    std::vector<Import> imports;
    for (const SampleLayer* sample : samples) {
      imports.push_back(must(store().begin_import()));
      LayerImport layer = must(imports.back().begin_layer());
      sample->feed(layer);
      must(layer.finish(sample->record()));
    }
    for (size_t i = 0; i < samples.size(); ++i) {
      ImageRecord image = image_of({samples[i]->diff_id()});
      must(imports[i].commit(std::span(&image, 1), {}));
    }
  }
  // The image that load() made of it goes, and then its space.
  void unload(const SampleLayer& sample) {
    must(store().remove_image(image_of({sample.diff_id()}).id));
    must(store().collect({}));
  }
  std::string tar_of(const Digest& diff_id) {
    std::string tar;
    must(store().write_layer_tar(diff_id, [&](std::span<const std::byte> piece) -> Result<> {
      tar.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    return tar;
  }

  // The files of the store that hold content, space-separated.
  std::string files() {
    std::string names;
    for (const char* directory : {"packs", "layers", "trees"}) {
      for (const std::string& name : names_in(directory)) {
        names += std::string(names.empty() ? "" : " ") + directory + "/" + name;
      }
    }
    return names;
  }
  // The file there whose name ends so.
  std::string only_file(const char* directory, std::string_view ending) {
    for (const std::string& name : names_in(directory)) {
      if (name.ends_with(ending)) return path() + "/" + directory + "/" + name;
    }
    ADD_FAILURE() << "no " << ending;
    return "";
  }
  static void flip(const std::string& file, uint64_t offset) {
    Fd fd = must(sys::open(file.c_str(), O_RDWR));
    std::byte byte{};
    must(sys::pread_exactly(fd, std::span(&byte, 1), offset));
    byte ^= std::byte{16};
    must(sys::pwrite_all(fd, std::span(&byte, 1), offset));
  }
  static uint64_t size_of(const std::string& file) {
    return static_cast<uint64_t>(must(sys::stat_at(sys::cwd(), file.c_str())).st_size);
  }
  std::vector<std::string> names_in(const char* directory) {
    std::vector<std::string> names;
    Fd fd = must(sys::open((path_ + "/" + directory).c_str(), O_RDONLY | O_DIRECTORY));
    must(sys::read_directory(fd, [&](const sys::DirectoryEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    }));
    std::ranges::sort(names);
    return names;
  }
  uint64_t pack_bytes() {
    uint64_t bytes = 0;
    for (const std::string& name : names_in("packs")) {
      auto status = must(sys::stat_at(sys::cwd(), (path_ + "/packs/" + name).c_str()));
      bytes += static_cast<uint64_t>(status.st_size);
    }
    return bytes;
  }

 private:
  std::string path_;
  std::optional<Store> store_;
};

}  // namespace lyr::store
