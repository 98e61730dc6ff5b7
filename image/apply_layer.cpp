// SPDX-License-Identifier: Apache-2.0
#include "image/apply_layer.h"

#include <sys/stat.h>

#include "image/layer_name.h"
#include "image/tar_reader.h"
#include "image/tar_sparse.h"

namespace lyr::image {
namespace {

class LayerApplier {
 public:
  LayerApplier(ByteSource& tar, store::LayerImport& layer)
      : layer_(layer), reader_(tar, [this](auto data) { return keep(data); }) {}

  Result<LayerTotals> run() {
    while (true) {
      const TarEntry* entry = TRY(reader_.next());
      if (entry == nullptr) break;
      auto outcome = add(*entry);
      if (!outcome) return blame(std::move(outcome).error(), *entry);
      if (++totals_.entries > store::layer_entries_max) return bad_tar("it has too many entries");
    }
    TRY(reader_.finish());
    totals_.tar_bytes = reader_.offset();
    return totals_;
  }

 private:
  static Failure blame(Error error, const TarEntry& entry) {
    const std::string name = "entry '" + entry.path.substr(0, 300) + "'";
    if (error.subject == nullptr) {
      error.subject = std::make_unique<std::string>(name);
    } else if (error.subject->find(name) == std::string::npos) {
      *error.subject = name + ": " + *error.subject;
    }
    return Failure(std::move(error));
  }

  Result<> keep(std::span<const std::byte> data) {
    inline_bytes_ += data.size();
    if (inline_bytes_ > inline_bytes_max) return bad_tar("its headers are too large");
    return layer_.inline_bytes(data);
  }

  Result<> add(const TarEntry& entry) {
    // Content goes first, whatever the name: the recipe needs it, also where the tree does not.
    store::FileContent content;
    if (entry.stored_bytes > 0) content = TRY(read_content(entry));
    content.size = entry.size;
    LayerName name = TRY(classify(entry.path));
    switch (name.kind) {
      case LayerName::Kind::ignored:
        return {};
      case LayerName::Kind::whiteout:
        return layer_.tree().add_whiteout(name.path);
      case LayerName::Kind::opaque:
        return layer_.tree().set_opaque(name.path);
      case LayerName::Kind::entry:
        return add_node(entry, std::move(content));
    }
    return {};
  }

  Result<store::FileContent> read_content(const TarEntry& entry) {
    TRY(layer_.begin_file(entry.stored_bytes));
    while (true) {
      auto piece = TRY(reader_.payload());
      if (piece.empty()) break;
      TRY(layer_.file_bytes(piece));
    }
    auto content = TRY(layer_.end_file());
    if (entry.sparse) content.extents = spread(entry.segments, content.extents);
    return content;
  }

  Result<> add_node(const TarEntry& entry, store::FileContent content) {
    auto& tree = layer_.tree();
    switch (entry.type) {
      case TarType::file:
        totals_.content_bytes += entry.size;
        return tree.add_file(entry.path, entry.attr, std::move(content));
      case TarType::directory:
        return tree.add_directory(entry.path, entry.attr);
      case TarType::symlink:
        return tree.add_symlink(entry.path, entry.attr, entry.link_target);
      case TarType::hard_link:
        return tree.add_hard_link(entry.path, entry.link_target);
      case TarType::character_device:
        return add_special(entry, S_IFCHR);
      case TarType::block_device:
        return add_special(entry, S_IFBLK);
      case TarType::fifo:
        return add_special(entry, S_IFIFO);
    }
    return {};
  }

  Result<> add_special(const TarEntry& entry, uint32_t type) {
    return layer_.tree().add_special(entry.path, entry.attr, type, entry.device_major,
                                     entry.device_minor);
  }

  store::LayerImport& layer_;
  TarReader reader_;
  LayerTotals totals_;
  uint64_t inline_bytes_ = 0;
};

}  // namespace

Result<LayerTotals> apply_layer(ByteSource& tar, store::LayerImport& layer) {
  LayerApplier applier(tar, layer);
  return applier.run();
}

}  // namespace lyr::image
