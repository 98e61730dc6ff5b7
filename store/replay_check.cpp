// SPDX-License-Identifier: Apache-2.0
#include "store/replay_check.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"
#include "store/recipe.h"

namespace lyr::store {
namespace {

constexpr std::byte zero_block[64 << 10] = {};

template <class Sink>
void give_zeros(uint64_t bytes, const Sink& sink) {
  while (bytes > 0) {
    auto piece = std::span(zero_block).first(std::min<uint64_t>(bytes, sizeof zero_block));
    sink(piece);
    bytes -= piece.size();
  }
}

constexpr size_t released_after = 16384;  // objects that were read of a recipe, a mapped file

}  // namespace

void BatchNames::begin(PairedSha256& hasher, LayerBatch& batch) {
  messages_.clear();
  auto add = [&](LayerBatch::Object&, std::span<const std::byte> data) -> Result<> {
    messages_.push_back(data);
    return {};
  };
  CHECK(batch.each_object(add));
  digests_.resize(messages_.size());
  hasher.begin_messages(messages_, digests_);
}

void BatchNames::finish(PairedSha256& hasher, LayerBatch& batch) {
  hasher.finish_messages();
  for (size_t i = 0; i < digests_.size(); ++i) batch.objects[i].id.sha256 = digests_[i];
  batch.named = true;
}

ReplayCheck::Outline::Outline() : state_(XXH3_createState()) {
  CHECK(state_ != nullptr);
  XXH3_64bits_reset(state_.get());
}
void ReplayCheck::Outline::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }
void ReplayCheck::Outline::bytes(std::span<const std::byte> data) {
  XXH3_64bits_update(state_.get(), data.data(), data.size());
}
void ReplayCheck::Outline::object(const ObjectId& id, uint64_t bytes) {
  XXH3_64bits_update(state_.get(), id.sha256.bytes.data(), id.sha256.bytes.size());
  XXH3_64bits_update(state_.get(), &bytes, sizeof bytes);
}
void ReplayCheck::Outline::zeros(uint64_t bytes) {
  give_zeros(bytes, [&](std::span<const std::byte> piece) { this->bytes(piece); });
}
uint64_t ReplayCheck::Outline::finish() const { return XXH3_64bits_digest(state_.get()); }

ReplayCheck::ReplayCheck(ObjectReader& objects)
    : window_(objects.packs()), objects_(objects), buffer_(object_bytes_max) {}

Result<std::span<const std::byte>> ReplayCheck::fetch(const LayerBatch::Object& object,
                                                      uint64_t bytes) {
  if (object.place) return TRY(window_.read(*object.place, object.id, bytes));
  CHECK(bytes <= buffer_.size());
  auto data = std::span(buffer_).first(bytes);
  size_t got = TRY(objects_.read(object.id, 0, data));
  if (got != bytes) return fail(EIO, "object", object.id.sha256.text());
  return data;
}

Result<> ReplayCheck::replay(const LayerBatch& past) {
  window_.forget();
  auto verbatim = std::span<const std::byte>(past.data);
  const LayerBatch::Object* object = past.objects.data();
  for (const LayerBatch::Operation& operation : past.operations) {
    switch (operation.kind) {
      case LayerBatch::Kind::verbatim:
        hasher_.update(verbatim.first(operation.bytes));
        verbatim = verbatim.subspan(operation.bytes);
        break;
      case LayerBatch::Kind::object: {
        auto data = TRY(fetch(*object++, operation.bytes));  // never the bytes that came in
        hasher_.update(data);
        verbatim = verbatim.subspan(operation.bytes);
        break;
      }
      case LayerBatch::Kind::zeros:
        give_zeros(operation.bytes,
                   [&](std::span<const std::byte> piece) { hasher_.update(piece); });
        break;
    }
  }
  return {};
}

Result<> ReplayCheck::replay_and_name(const LayerBatch* past, LayerBatch& next) {
  if (!next.named) names_.begin(hasher_, next);
  if (past != nullptr) TRY(replay(*past));
  if (!next.named) names_.finish(hasher_, next);
  return {};
}

Result<> ReplayCheck::outline_of(const Spool::View& recipe, Outline& outline) {
  auto parsed = TRY(Recipe::parse(recipe));
  bool is_object = false;  // what the sink gets next is not bytes of the recipe's own
  size_t fetched = 0;
  auto fetch = [&](const ObjectId& id, std::span<std::byte> data) -> Result<> {
    outline.object(id, data.size());
    is_object = true;
    if (++fetched % released_after == 0) recipe.mapping.release();
    return {};
  };
  return parsed.replay(fetch, [&](std::span<const std::byte> piece) -> Result<> {
    if (!std::exchange(is_object, false)) outline.bytes(piece);
    return {};
  });
}

Result<> ReplayCheck::finish(Spool& recipe, const Digest& diff_id) {
  Outline written;
  auto view = TRY(recipe.view());
  TRY(outline_of(view, written));
  if (written.finish() != fed_.finish()) return fail(EUCLEAN, "recipe", diff_id.text());
  Digest given = hasher_.finish();
  if (given != diff_id) {
    return fail(EBADMSG, "layer", diff_id.text() + ": its content is " + given.text());
  }
  return {};
}

}  // namespace lyr::store
