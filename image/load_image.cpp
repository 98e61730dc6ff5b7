// SPDX-License-Identifier: Apache-2.0
#include "image/load_image.h"

#include <set>

#include "image/apply_layer.h"
#include "image/decode.h"
#include "image/manifest.h"
#include "image/pipelined_source.h"

namespace lyr::image {
namespace {

constexpr size_t verify_block_bytes = 512 << 10;

// Tells how far the input is read, from the thread that reads.
class MeteredReader final : public ByteReader {
 public:
  MeteredReader(std::unique_ptr<ByteReader> inner, ProgressMeter& meter)
      : inner_(std::move(inner)), meter_(meter) {}
  Result<size_t> read(std::span<std::byte> data) override {
    size_t count = TRY(inner_->read(data));
    meter_.add(count);
    return count;
  }

 private:
  std::unique_ptr<ByteReader> inner_;
  ProgressMeter& meter_;
};

// Keeps what passes.
class KeepingReader final : public ByteReader {
 public:
  KeepingReader(std::unique_ptr<ByteReader> inner, store::BlobImport& blob)
      : inner_(std::move(inner)), blob_(blob) {}
  Result<size_t> read(std::span<std::byte> data) override {
    size_t count = TRY(inner_->read(data));
    TRY(blob_.write(data.first(count)));
    return count;
  }

 private:
  std::unique_ptr<ByteReader> inner_;
  store::BlobImport& blob_;
};

// A layer file being read: digested as it is, and decompressed.
struct OpenLayer {
  std::unique_ptr<ByteReader> reader;
  DigestReader* file = nullptr;  // inside `reader`
  Compression compression = Compression::none;
};

std::string layer_name(const PlannedLayer& layer) {
  return "layer " + (layer.digest ? layer.digest->text() : layer.file);
}

Failure bad_layer(const PlannedLayer& layer, const std::string& reason) {
  return fail(EBADMSG, "load", layer_name(layer) + ": " + reason);
}

Result<> check_file(const PlannedLayer& layer, uint64_t bytes, const Digest& digest) {
  if (!layer.digest) return {};
  if (digest == *layer.digest) return {};
  return bad_layer(layer, "its " + std::to_string(bytes) + " bytes have the digest " +
                              digest.text() + " (damaged)");
}

Result<> check_tar(const PlannedLayer& layer, const Digest& diff_id) {
  if (diff_id == layer.diff_id) return {};
  return bad_layer(layer, "its content is " + diff_id.text() + ", the config says " +
                              layer.diff_id.text() + " (damaged)");
}

// What the manifest says the file is, unless that is plainly something else.
std::string media_type_of(const PlannedLayer& layer, Compression compression) {
  std::string ending = compression == Compression::gzip ? "gzip" : "zstd";
  bool said = media_kind(layer.media_type) == MediaKind::layer;
  return said && layer.media_type.ends_with(ending) ? layer.media_type
                                                    : std::string(oci_layer_type) + "+" + ending;
}

class Loader {
 public:
  Loader(store::Import& import, const BlobSource& source, ProgressMeter& meter, bool keep_blobs)
      : import_(import), source_(source), meter_(meter), keep_blobs_(keep_blobs) {}

  Result<> add(const PlannedLayer& layer) {
    bool known = TRY(import_.has_layer(layer.diff_id));
    auto size = TRY(source_.size(layer.file));
    // An archive may leave out layers that it expects to be here.
    if (!size && known) return {};
    if (!size) return bad_layer(layer, "it is missing from the archive");
    if (layer.digest && layer.bytes != 0 && *size != layer.bytes) {
      return bad_layer(layer, "it has " + std::to_string(*size) + " bytes, the manifest says " +
                                  std::to_string(layer.bytes));
    }
    // What is here is checked by its own digest whenever it is read: it takes nothing of the file.
    bool keep = TRY(wants_blob(layer));
    if (known && !keep) {
      meter_.add(*size);
      return {};
    }
    auto outcome = known ? import_blob(layer, *size) : import_layer(layer, *size, keep);
    if (outcome) return {};
    // A damaged file shows in many ways. Which one is luck; that its digest is wrong is the cause.
    bool content = outcome.error().code == EBADMSG || outcome.error().code == EFBIG;
    if (content) TRY(verify(layer));
    return name_layer(std::move(outcome).error(), layer);
  }

 private:
  static Failure name_layer(Error error, const PlannedLayer& layer) {
    const std::string name = layer_name(layer);
    if (error.subject == nullptr) {
      error.subject = std::make_unique<std::string>(name);
    } else if (!error.subject->starts_with(name)) {
      *error.subject = name + ": " + *error.subject;
    }
    return Failure(std::move(error));
  }

  // Whether the file is to be kept: the recipe gives a tar that is not compressed.
  Result<bool> wants_blob(const PlannedLayer& layer) {
    if (!keep_blobs_) return false;
    bool kept = TRY(import_.has_blob(layer.diff_id));
    if (kept) return false;
    auto file = TRY(source_.open(layer.file));
    auto decoded = TRY(open_decoded(std::move(file)));
    return decoded.compression != Compression::none;
  }

  // What is read goes to `blob` as well, where there is one.
  Result<OpenLayer> open(const PlannedLayer& layer, store::BlobImport* blob = nullptr) {
    OpenLayer opened;
    auto file = TRY(source_.open(layer.file));
    std::unique_ptr<ByteReader> input = std::make_unique<MeteredReader>(std::move(file), meter_);
    if (blob != nullptr) input = std::make_unique<KeepingReader>(std::move(input), *blob);
    auto digested = std::make_unique<DigestReader>(std::move(input));
    if (blob != nullptr) digested->stop();  // it has a digest of its own
    opened.file = digested.get();
    auto decoded = TRY(open_decoded(std::move(digested)));
    opened.reader = std::move(decoded.reader);
    opened.compression = decoded.compression;
    return opened;
  }

  static Result<> read_to_end(ByteReader& reader) {
    std::vector<std::byte> block(verify_block_bytes);
    while (true) {
      size_t count = TRY(reader.read(block));
      if (count == 0) return {};
    }
  }

  // The layer is here, its blob is not: that it is this layer's is to be seen first.
  Result<> import_blob(const PlannedLayer& layer, uint64_t bytes) {
    store::BlobImport blob = TRY(import_.begin_blob());
    OpenLayer opened = TRY(open(layer, &blob));
    DigestReader tar(std::move(opened.reader));
    TRY(read_to_end(tar));
    TRY(check_file(layer, bytes, blob.finish()));
    TRY(check_tar(layer, tar.finish()));
    return import_.keep_blob(layer.diff_id, std::move(blob),
                             media_type_of(layer, opened.compression));
  }

  // Whether the file is what it should be.
  Result<> verify(const PlannedLayer& layer) {
    OpenLayer opened;
    std::unique_ptr<DigestReader> whole;
    if (layer.digest) {
      auto file = TRY(source_.open(layer.file));
      whole =
          std::make_unique<DigestReader>(std::make_unique<MeteredReader>(std::move(file), meter_));
    } else {
      opened = TRY(open(layer));
      whole = std::make_unique<DigestReader>(std::move(opened.reader));
    }
    TRY(read_to_end(*whole));
    if (layer.digest) return check_file(layer, whole->count(), whole->finish());
    return check_tar(layer, whole->finish());
  }

  // The store itself checks that what it keeps gives the tar of `diff_id`, so only a file that is
  // not that tar needs a digest of its own.
  Result<> import_layer(const PlannedLayer& planned, uint64_t bytes, bool keep) {
    std::optional<store::BlobImport> blob;
    if (keep) blob = TRY(import_.begin_blob());
    OpenLayer opened = TRY(open(planned, keep ? &*blob : nullptr));
    bool is_tar = opened.compression == Compression::none;
    bool digested = planned.digest && (!is_tar || *planned.digest != planned.diff_id);
    DigestReader& file = *opened.file;
    if (!digested) file.stop();
    // Inflating is worth a thread of its own. What is only read is not: its bytes would go from one
    // CPU's cache to the other's, which takes longer than to read them.
    std::unique_ptr<ByteSource> tar;
    if (is_tar) {
      tar = std::make_unique<BlockSource>(std::move(opened.reader));
    } else {
      tar = TRY(PipelinedSource::start(std::move(opened.reader)));
    }
    store::LayerImport layer = TRY(import_.begin_layer());
    LayerTotals totals = TRY(apply_layer(*tar, layer));
    if (keep || digested) {
      TRY(check_file(planned, bytes, keep ? blob->finish() : file.finish()));
    }
    store::LayerRecord record;
    record.diff_id = planned.diff_id;
    record.tar_bytes = totals.tar_bytes;
    record.content_bytes = totals.content_bytes;
    record.entries = totals.entries;
    if (planned.digest) {
      record.blob_digest = *planned.digest;
      record.blob_bytes = bytes;
      record.blob_media_type = planned.media_type;
    }
    TRY(layer.finish(record));
    if (!keep) return {};
    return import_.keep_blob(planned.diff_id, std::move(*blob),
                             media_type_of(planned, opened.compression));
  }

  store::Import& import_;
  const BlobSource& source_;
  ProgressMeter& meter_;
  bool keep_blobs_;
};

store::ImageRecord record_of(const PlannedImage& image, uint64_t content_bytes) {
  store::ImageRecord record;
  record.id = image.id;
  record.chain_id = store::chain_id_of(image.config.diff_ids);
  record.diff_ids = image.config.diff_ids;
  record.config_json = image.config_json;
  record.manifest_json = image.manifest_json;
  record.created_unix = created_unix(image.config);
  record.content_bytes = content_bytes;
  return record;
}

Result<uint64_t> total_bytes(const BlobSource& source, const Plan& plan) {
  std::set<std::string> counted;
  uint64_t total = 0;
  for (const PlannedImage& image : plan) {
    for (const PlannedLayer& layer : image.layers) {
      if (!counted.insert(layer.file).second) continue;
      auto size = TRY(source.size(layer.file));
      total += size.value_or(0);
    }
  }
  return total;
}

}  // namespace

Result<std::vector<Loaded>> load_plan(store::Store& store, const BlobSource& source,
                                      const Plan& plan, const Progress& progress, bool keep_blobs) {
  uint64_t total = TRY(total_bytes(source, plan));
  ProgressMeter meter(progress, total);
  store::Import import = TRY(store.begin_import());
  Loader loader(import, source, meter, keep_blobs);
  std::set<std::pair<std::string, Digest>> done;
  std::vector<store::ImageRecord> records;
  std::vector<store::Tag> tags;
  std::vector<Loaded> loaded;
  for (const PlannedImage& image : plan) {
    for (const PlannedLayer& layer : image.layers) {
      if (done.emplace(layer.file, layer.diff_id).second) TRY(loader.add(layer));
    }
    records.push_back(record_of(image, 0));
    for (const std::string& tag : image.tags) tags.push_back({.name = tag, .image = image.id});
    loaded.push_back({.id = image.id, .tags = image.tags});
  }
  TRY(import.commit(records, tags));
  return loaded;
}

}  // namespace lyr::image
