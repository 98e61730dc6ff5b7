// SPDX-License-Identifier: Apache-2.0
#include "store/unpacked_objects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace lyr::store {
namespace {

std::string numbered(size_t number) { return "object number " + std::to_string(number); }

ObjectId id_of(size_t number) {
  std::string text = numbered(number);
  return ObjectId::of(std::as_bytes(std::span(text)));
}

ObjectBuffer keep(UnpackedObjects& objects, size_t number, ObjectBuffer buffer) {
  std::string text = numbered(number);
  std::ranges::copy(std::as_bytes(std::span(text)), buffer.get());
  return objects.keep(id_of(number), std::move(buffer));
}

// What is kept of it from its second byte on; empty: nothing.
std::string kept(UnpackedObjects& objects, size_t number) {
  std::string text(numbered(number).size() - 1, '\0');
  bool found = objects.read(id_of(number), 1, std::as_writable_bytes(std::span(text)));
  return found ? text : "";
}

TEST(UnpackedObjects, GivesBackTheLastOnesAndTheirBuffers) {
  UnpackedObjects objects;
  ObjectBuffer buffer = make_object_buffer();
  constexpr size_t count = 3 * unpacked_objects_max;
  for (size_t i = 0; i < count; ++i) {
    buffer = keep(objects, i, std::move(buffer));
    ASSERT_NE(buffer, nullptr);
  }
  for (size_t i = 0; i < count; ++i) {
    bool is_kept = i >= count - unpacked_objects_max;
    EXPECT_EQ(kept(objects, i), is_kept ? numbered(i).substr(1) : "") << i;
  }
}

TEST(UnpackedObjects, WhatIsReadStays) {
  UnpackedObjects objects;
  ObjectBuffer buffer = make_object_buffer();
  for (size_t i = 0; i < 3 * unpacked_objects_max; ++i) {
    buffer = keep(objects, i, std::move(buffer));
    EXPECT_EQ(kept(objects, 0), numbered(0).substr(1)) << i;
  }
}

TEST(UnpackedObjects, ABufferIsTakenOnceForEachObject) {
  UnpackedObjects objects;
  ObjectBuffer buffer = keep(objects, 1, make_object_buffer());
  std::byte* mine = buffer.get();
  buffer = keep(objects, 1, std::move(buffer));
  EXPECT_EQ(buffer.get(), mine);
  EXPECT_EQ(kept(objects, 1), numbered(1).substr(1));
}

}  // namespace
}  // namespace lyr::store
