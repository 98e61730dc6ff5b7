// SPDX-License-Identifier: Apache-2.0
#include "image/load_layer.h"

#include "image/apply_layer.h"
#include "image/decode.h"
#include "image/manifest.h"
#include "image/pipelined_source.h"

namespace lyr::image {
namespace {

constexpr size_t verify_block_bytes = 512 << 10;

class MeteredReader final : public ByteReader {
 public:
  MeteredReader(std::unique_ptr<ByteReader> inner, ProgressMeter& meter, const GivenUp& given_up)
      : inner_(std::move(inner)), meter_(meter), given_up_(given_up) {}
  Result<size_t> read(std::span<std::byte> data) override {
    if (given_up_()) return fail(ECANCELED, "load");
    size_t count = TRY(inner_->read(data));
    meter_.add(count);
    return count;
  }

 private:
  std::unique_ptr<ByteReader> inner_;
  ProgressMeter& meter_;
  const GivenUp& given_up_;
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

Failure name_layer(Error error, const PlannedLayer& layer) {
  const std::string name = layer_name(layer);
  if (error.subject == nullptr) {
    error.subject = std::make_unique<std::string>(name);
  } else if (!error.subject->starts_with(name)) {
    *error.subject = name + ": " + *error.subject;
  }
  return Failure(std::move(error));
}

// What the manifest says the file is, unless that is plainly something else.
std::string media_type_of(const PlannedLayer& layer, Compression compression) {
  std::string ending = compression == Compression::gzip ? "gzip" : "zstd";
  bool said = media_kind(layer.media_type) == MediaKind::layer;
  return said && layer.media_type.ends_with(ending) ? layer.media_type
                                                    : std::string(oci_layer_type) + "+" + ending;
}

// What is read goes to `blob` as well, where there is one.
Result<OpenLayer> open_layer(std::unique_ptr<ByteReader> file, store::BlobImport* blob = nullptr) {
  OpenLayer opened;
  if (blob != nullptr) file = std::make_unique<KeepingReader>(std::move(file), *blob);
  auto digested = std::make_unique<DigestReader>(std::move(file));
  if (blob != nullptr) digested->stop();  // it has a digest of its own
  opened.file = digested.get();
  auto decoded = TRY(open_decoded(std::move(digested)));
  opened.reader = std::move(decoded.reader);
  opened.compression = decoded.compression;
  return opened;
}

Result<> read_to_end(ByteReader& reader) {
  std::vector<std::byte> block(verify_block_bytes);
  while (true) {
    size_t count = TRY(reader.read(block));
    if (count == 0) return {};
  }
}

}  // namespace

Result<std::unique_ptr<ByteReader>> LayerLoader::open(const PlannedLayer& layer,
                                                      const GivenUp& given_up) {
  auto file = TRY(source_.open(layer.file));
  return std::make_unique<MeteredReader>(std::move(file), meter_, given_up);
}

Result<std::optional<uint64_t>> LayerLoader::size_of(const PlannedLayer& layer) {
  auto size = TRY(source_.size(layer.file));
  if (size && layer.digest && layer.bytes != 0 && *size != layer.bytes) {
    return bad_layer(layer, "it has " + std::to_string(*size) + " bytes, the manifest says " +
                                std::to_string(layer.bytes));
  }
  return size;
}

// A damaged file shows in many ways. Which one is luck; that its digest is wrong is the cause.
Result<> LayerLoader::explain(Result<> outcome, const PlannedLayer& layer,
                              const GivenUp& given_up) {
  if (outcome) return {};
  bool content = outcome.error().code == EBADMSG || outcome.error().code == EFBIG;
  if (content) TRY(verify(layer, given_up));
  return name_layer(std::move(outcome).error(), layer);
}

Result<> LayerLoader::load(const PlannedLayer& layer, const GivenUp& given_up) {
  bool known = TRY(import_.has_layer(layer.diff_id));
  auto size = TRY(size_of(layer));
  // An archive may leave out layers that it expects to be here.
  if (!size && known) return {};
  if (!size) return bad_layer(layer, "it is missing from the archive");
  // What is here is checked by its own digest whenever it is read: it takes nothing of the file.
  bool keep = TRY(wants_blob(layer));
  if (known && !keep) {
    meter_.add(*size);
    return {};
  }
  auto outcome =
      known ? import_blob(layer, *size, given_up) : import_layer(layer, *size, keep, given_up);
  return explain(std::move(outcome), layer, given_up);
}

Result<> LayerLoader::load_again(const PlannedLayer& layer) {
  auto size = TRY(size_of(layer));
  if (!size) return {};
  GivenUp never = [] { return false; };
  return explain(import_layer(layer, *size, false, never), layer, never);
}

// Whether the file is to be kept: the recipe gives a tar that is not compressed.
Result<bool> LayerLoader::wants_blob(const PlannedLayer& layer) {
  if (!keep_blobs_) return false;
  bool kept = TRY(import_.has_blob(layer.diff_id));
  if (kept) return false;
  auto file = TRY(source_.open(layer.file));
  auto decoded = TRY(open_decoded(std::move(file)));
  return decoded.compression != Compression::none;
}

// The layer is here, its blob is not: that it is this layer's is to be seen first.
Result<> LayerLoader::import_blob(const PlannedLayer& layer, uint64_t bytes,
                                  const GivenUp& given_up) {
  store::BlobImport blob = TRY(import_.begin_blob());
  auto reader = TRY(open(layer, given_up));
  OpenLayer opened = TRY(open_layer(std::move(reader), &blob));
  DigestReader tar(std::move(opened.reader));
  TRY(read_to_end(tar));
  TRY(check_file(layer, bytes, blob.finish()));
  TRY(check_tar(layer, tar.finish()));
  return import_.keep_blob(layer.diff_id, std::move(blob),
                           media_type_of(layer, opened.compression));
}

// Whether the file is what it should be.
Result<> LayerLoader::verify(const PlannedLayer& layer, const GivenUp& given_up) {
  auto file = TRY(open(layer, given_up));
  OpenLayer opened;
  std::unique_ptr<DigestReader> whole;
  if (layer.digest) {
    whole = std::make_unique<DigestReader>(std::move(file));
  } else {
    opened = TRY(open_layer(std::move(file)));
    whole = std::make_unique<DigestReader>(std::move(opened.reader));
  }
  TRY(read_to_end(*whole));
  if (layer.digest) return check_file(layer, whole->count(), whole->finish());
  return check_tar(layer, whole->finish());
}

// The store itself checks that what it keeps gives the tar of `diff_id`, so only a file that is
// not that tar needs a digest of its own.
Result<> LayerLoader::import_layer(const PlannedLayer& planned, uint64_t bytes, bool keep,
                                   const GivenUp& given_up) {
  std::optional<store::BlobImport> blob;
  if (keep) blob = TRY(import_.begin_blob());
  auto reader = TRY(open(planned, given_up));
  OpenLayer opened = TRY(open_layer(std::move(reader), keep ? &*blob : nullptr));
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

}  // namespace lyr::image
