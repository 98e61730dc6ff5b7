// SPDX-License-Identifier: Apache-2.0
// A store with something of everything in it, and the changes that a store knows, for tests of what
// is left when one of them does not come to its end.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/store/sample_layer.h"

namespace lyr::store {

// Some layers that share content, as images of one or two.
class SampleChanges {
 public:
  SampleChanges() {
    base_.file("kept", content_of(150000, 1));
    base_.file("text", std::string(40000, 't') + content_of(5000, 2));
    // Small ones in turn, so that hardly a block is dead as a whole.
    for (unsigned i = 0; i < 150; ++i) {
      mixed_.file("kept" + std::to_string(i), content_of(100, 100 + i));
      mixed_.file("dead" + std::to_string(i), content_of(3000, 300 + i));
      few_.file("kept" + std::to_string(i), content_of(100, 100 + i));
    }
    sparse_.file("dead", content_of(200000, 3));
    sparse_.file("dense", content_of(90000, 4));
    dense_.file("dense", content_of(90000, 4));
    gone_.file("gone", content_of(100000, 5));
    low_.file("kept", content_of(150000, 1));
    low_.file("big", content_of(500000, 6));
    low_.file("small", "x");
    high_.file("more", content_of(30000, 7));
    high_.whiteout("small");
    near_.file("big", content_of(500000, 6));
    near_.file("own", content_of(70000, 9));
  }

  // Packs that a collection will punch and write anew, and after remove() one to take away.
  Result<> prepare(Store& store) const {
    TRY(load(store, {&base_}));
    TRY(load(store, {&mixed_}));
    TRY(load(store, {&few_}));
    TRY(load(store, {&sparse_}));
    TRY(load(store, {&dense_}));
    TRY(load(store, {&gone_}));
    TRY(store.remove_image(image_of({mixed_.diff_id()}).id));
    return store.remove_image(image_of({sparse_.diff_id()}).id);
  }
  // An image of two layers, a tag, and one layer's blob, in one transaction.
  Result<> import(Store& store) const { return import_pair(store, low_, high_, blob_); }
  // Another image, with one layer of it and a layer that shares content with the other.
  Result<> import_other(Store& store) const {
    Import import = TRY(store.begin_import());
    TRY(add(import, high_));
    TRY(add(import, near_));
    ImageRecord image = image_of({near_.diff_id(), high_.diff_id()});
    TRY(import.commit(std::span(&image, 1), {}));
    return {};
  }
  // Two imports that do not see each other's content: it is there twice, in packs of their own.
  Result<> import_twice(Store& store) const {
    Import one = TRY(store.begin_import());
    Import other = TRY(store.begin_import());
    TRY(add(one, low_));
    TRY(add(other, near_));
    ImageRecord image = image_of({low_.diff_id()});
    TRY(one.commit(std::span(&image, 1), {}));
    image = image_of({near_.diff_id()});
    return other.commit(std::span(&image, 1), {});
  }
  Result<> remove(Store& store) const {
    Digest id = image_of({gone_.diff_id()}).id;
    auto there = TRY(store.image(id));
    return there ? store.remove_image(id) : Result<>();
  }
  static Result<> collect(Store& store) {
    TRY(store.collect({}));
    return {};
  }
  static Result<> mend(Store& store) {
    TRY(store.scrub({.mend = true}));
    return {};
  }
  static Result<> compact(Store& store) {
    TRY(store.collect({.compress = true}));
    return {};
  }

 private:
  static Result<> load(Store& store, const std::vector<const SampleLayer*>& layers) {
    Import import = TRY(store.begin_import());
    std::vector<ImageRecord> images;
    for (const SampleLayer* layer : layers) {
      TRY(add(import, *layer));
      images.push_back(image_of({layer->diff_id()}));
    }
    return import.commit(images, {});
  }

  SampleLayer base_, mixed_, few_, sparse_, dense_, gone_;
  SampleLayer low_, high_, near_;
  const std::string blob_ = content_of(40000, 8);  // what high_ is compressed
};

}  // namespace lyr::store
