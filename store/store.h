// SPDX-License-Identifier: Apache-2.0
// The chunk store: packs of objects, a catalogue of images, recipes and trees (docs/formats.md).
// Promise: when commit() returned, the image is bit-exact after a power cut; at any other moment
// the store opens with no repair and nothing half made is visible. Several processes may use one
// store at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "store/object.h"
#include "store/tree.h"
#include "store/tree_builder.h"

namespace lyr::store {

struct LayerRecord {
  Digest diff_id;              // of the uncompressed tar
  uint64_t tar_bytes = 0;      // length of that tar
  uint64_t content_bytes = 0;  // file content in it
  uint32_t entries = 0;
  // A compressed form it was seen in, kept so that a push can name it again. Zero digest: none.
  Digest blob_digest;
  uint64_t blob_bytes = 0;
  std::string blob_media_type;
  bool blob_kept = false;  // the blob itself is here, too: write_layer_blob gives it
};

struct ImageRecord {
  Digest id;        // of the config blob: docker's image id
  Digest chain_id;  // image-spec config.md, of all layers: names the merged tree
  std::vector<Digest> diff_ids;
  std::string config_json;    // exact bytes
  std::string manifest_json;  // exact bytes, or empty when the archive had none
  int64_t created_unix = 0;   // from the config; 0 when unknown
  uint64_t content_bytes = 0;
};

struct Tag {
  std::string name;  // canonical "registry/repository:tag" as image/reference.h makes it
  Digest image;
};

using ByteSink = std::function<Result<>(std::span<const std::byte>)>;

class Import;
class LayerTar;
struct StoreStats;  // store/stats.h

// What a store holds and how much disk that takes.
struct StoreSizes {
  uint64_t images = 0;
  uint64_t layers = 0;
  uint64_t packs = 0;
  uint64_t pack_bytes = 0;  // on disk
  uint64_t tar_bytes = 0;   // of all layers, as they were loaded
  uint64_t blob_bytes = 0;  // of compressed layers that are kept as they came
};

// What a collection may do beside giving back the space of objects that nothing refers to.
struct CollectOptions {
  bool dry_run = false;      // only tells
  bool compress = false;     // rewrites packs as compressed frames
  int64_t older_than_s = 0;  // compress only what was written before that many seconds
  bool hot_files = false;    // removes copies of whole files, also of those that images have
  // Called now and then with the bytes of packs that were rewritten, and are to be.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress;
};

struct CollectReport {
  uint64_t objects = 0;           // in all packs, before
  uint64_t references = 0;        // from the layers to them
  uint64_t dead_objects = 0;      // that no layer refers to
  uint64_t dead_bytes = 0;        // of their frames
  uint64_t layers_forgotten = 0;  // that no image had
  uint64_t packs_removed = 0;
  uint64_t packs_rewritten = 0;
  uint64_t packs_punched = 0;  // given back in part, in place
  uint64_t packs_busy = 0;     // left alone: a running import builds on them
  uint64_t packs_unreadable = 0;
  uint64_t hot_files_removed = 0;
  uint64_t bytes_before = 0;  // the store's, on disk
  uint64_t bytes_after = 0;   // in a dry run: at most, by packs and hot files
};

struct ScrubOptions {
  // Damaged frames whose object has another copy, or that nobody needs, no longer count; what can
  // be read of packs without a footer goes to new ones.
  bool mend = false;
  // Called now and then with the bytes of frames that were read, and are to be; from any thread,
  // one at a time.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress;
};

struct Damage {
  std::string what;            // "packs/….pack at 4096: damaged frame"
  std::vector<Digest> images;  // that need it
};

struct ScrubReport {
  uint64_t packs = 0;
  uint64_t objects = 0;
  uint64_t bytes = 0;  // of frames
  uint64_t layers = 0;
  uint64_t images = 0;
  uint64_t mended = 0;  // damaged frames and packs that no longer count
  uint64_t hot_files = 0;
  uint64_t hot_files_removed = 0;  // that were not what they stand for, or stood for nothing
  std::vector<Damage> damage;      // empty: all is as it should be
};

// What a store takes on disk, and how much of it is for images that are not among some.
struct StoreUsage {
  uint64_t disk_bytes = 0;
  uint64_t reclaimable_bytes = 0;
};

class Store {
 public:
  // Opens the store in `directory`, making it (0700) when absent. EPROTONOSUPPORT: made by a newer
  // lyr.
  static Result<Store> open(const std::string& directory);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // Reading content; thread-safe. What is on disk is checked before it is given: EIO names the pack
  // when it is damaged. Returns data.size() unless the object ends first.
  Result<size_t> read_object(const ObjectId& object, uint64_t offset,
                             std::span<std::byte> data) const;
  // File content by tree, holes as zeros. Fewer bytes than asked only at the end of the file.
  Result<size_t> read_file(const Tree& tree, Ino ino, uint64_t offset,
                           std::span<std::byte> data) const;
  // Where the file system can: makes `to`, a new file, share the blocks of a copy that keep_file()
  // made. False: there is none to share with, and `to` is empty.
  bool clone_file(const Tree& tree, Ino ino, const Fd& to) const;
  // Offers `whole`, which has all of the file's content, for clone_file() to share with, in any
  // process. Blocks until that is on disk; where it cannot be, or does not pay, nothing happens.
  void keep_file(const Tree& tree, Ino ino, const Fd& whole) const;

  Result<Tree> open_layer_tree(const Digest& diff_id) const;
  Result<Tree> open_image_tree(const Digest& chain_id) const;
  // The layer's tar, byte for byte, in pieces. EIO if it would not match `diff_id`.
  Result<> write_layer_tar(const Digest& diff_id, const ByteSink& sink) const;
  // The layer's kept blob, byte for byte, in pieces. EIO if it would not match its digest.
  Result<> write_layer_blob(const LayerRecord& layer, const ByteSink& sink) const;
  // The same, for who wants to ask for the pieces.
  Result<LayerTar> open_layer_tar(const Digest& diff_id) const;

  // The catalogue; thread-safe, each call one transaction.
  Result<std::optional<ImageRecord>> image(const Digest& id) const;
  Result<std::vector<ImageRecord>> images() const;  // newest first
  Result<std::optional<LayerRecord>> layer(const Digest& diff_id) const;
  Result<std::vector<Tag>> tags() const;  // sorted by name
  Result<std::optional<Digest>> tag(std::string_view name) const;
  Result<> set_tag(std::string_view name, const Digest& image);  // ENOENT: no such image
  Result<bool> remove_tag(std::string_view name);                // false: was not there
  // Forgets the image, its tags, and the layers no other image has. ENOENT: no such image. Never
  // refuses: who uses an image is the engine's business. The space comes back with collect().
  Result<> remove_image(const Digest& id);

  // Gives back the space of what no image refers to. May be killed at any moment, needs no free
  // space (where it has some, sparse packs are written anew), and runs beside imports and readers:
  // what a running import builds on is left alone. Waits for another collection. EUCLEAN: a
  // layer's recipe is damaged, so that nobody knows what it needs; nothing was removed.
  Result<CollectReport> collect(const CollectOptions& options);
  // Reads and checks all there is, on every CPU, beside whatever else runs.
  Result<ScrubReport> scrub(const ScrubOptions& options);
  // `kept`: the images that are to stay.
  Result<StoreUsage> usage(std::span<const Digest> kept) const;

  // An unnamed, empty file on the store's file system, for input that has to wait somewhere.
  Result<Fd> open_spool() const;

  Result<StoreSizes> sizes() const;
  // Where its bytes are, counted one by one from recipes and packs: seconds in a large store.
  Result<StoreStats> stats() const;

  // Starts writing. Several imports, in one process or many, may run side by side.
  Result<Import> begin_import();

  struct State;

 private:
  explicit Store(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// One layer on its way out. Not thread-safe; may outlive its store.
class LayerTar {
 public:
  LayerTar(LayerTar&&) noexcept;
  LayerTar& operator=(LayerTar&&) noexcept;
  ~LayerTar();

  uint64_t bytes() const;  // of the whole tar
  // The next piece, valid until the next call; empty at the end, and then not to be asked again.
  // EIO: damaged, or the whole is not what the layer's name says.
  Result<std::span<const std::byte>> next();

 private:
  friend class Store;
  struct State;
  explicit LayerTar(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One layer on its way in. Each byte of the tar is given exactly once and in order, either as
// inline bytes (headers, padding, odd payloads) or as the content of a file. Not thread-safe;
// layers of one import may be written by different threads.
class LayerImport {
 public:
  LayerImport(LayerImport&&) noexcept;
  LayerImport& operator=(LayerImport&&) noexcept;
  ~LayerImport();

  Result<> inline_bytes(std::span<const std::byte> data);
  Result<> begin_file(uint64_t size);
  Result<> file_bytes(std::span<const std::byte> data);
  Result<FileContent> end_file();  // EINVAL unless exactly `size` bytes were given

  LayerTreeBuilder& tree();

  // Checks that the recipe gives back bytes with record.diff_id (EBADMSG otherwise) and keeps the
  // layer for commit.
  Result<> finish(const LayerRecord& record);

  struct State;

 private:
  friend class Import;
  explicit LayerImport(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A layer's compressed form on its way in, exactly as it came. Not thread-safe.
class BlobImport {
 public:
  BlobImport(BlobImport&&) noexcept;
  BlobImport& operator=(BlobImport&&) noexcept;
  ~BlobImport();

  Result<> write(std::span<const std::byte> data);
  // The digest of all that was written; nothing may come after it.
  Digest finish();

  struct State;

 private:
  friend class Import;
  explicit BlobImport(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What one load or pull brings. Gone without commit, it leaves nothing visible.
class Import {
 public:
  Import(Import&&) noexcept;
  Import& operator=(Import&&) noexcept;
  ~Import();

  // Already in the store, or finished in this import: no need to read it again.
  Result<bool> has_layer(const Digest& diff_id) const;
  Result<LayerImport> begin_layer();

  // Whether the layer's blob is in the store, or kept by this import: then there is nothing to do.
  Result<bool> has_blob(const Digest& diff_id) const;
  Result<BlobImport> begin_blob();
  // Keeps a finished blob with its layer, which must be here or in the store at the commit. That it
  // decompresses to `diff_id`, the caller has checked. Each holds a descriptor until then.
  Result<> keep_blob(const Digest& diff_id, BlobImport blob, const std::string& media_type);

  // Merges trees, makes all durable, then makes images and tags visible in one transaction. Every
  // diff_id of every image must be here or in the store (ENOENT).
  Result<> commit(std::span<const ImageRecord> images, std::span<const Tag> tags);

  struct State;

 private:
  friend class Store;
  explicit Import(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// image-spec config.md, "Layer ChainID".
Digest chain_id_of(std::span<const Digest> diff_ids);

}  // namespace lyr::store
