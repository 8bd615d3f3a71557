// resize_test.cc - where realloc puts a block that grows.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "cache/heap.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "sizeclass/sizeclass.h"

namespace hakmem {
namespace {

// A string that is appended to: two moves a doubling, not one at each class.
constexpr size_t kDoublingsFrom1KiB = 5;
static_assert(kMaxSmallBytes == kKiB << kDoublingsFrom1KiB);
TEST(Resize, WhatGrowsByLittleGrowsInPlaceMostly) {
  size_t moves = 0, steps = 0;
  auto *text = static_cast<char *>(hakmem_malloc(1024));
  memset(text, 'x', 1024);
  for (size_t size = 1024; size < kMaxSmallBytes; ++steps) {
    const size_t grown = size + size / 8;
    if (grown > kMaxSmallBytes) break;
    auto *moved = static_cast<char *>(hakmem_realloc(text, grown));
    ASSERT_NE(moved, nullptr);
    ASSERT_EQ(moved[size - 1], 'x');
    memset(moved + size, 'x', grown - size);
    moves += moved != text;
    text = moved;
    size = grown;
    EXPECT_LE(hakmem_usable_size(text), size + size / 2) << size;
  }
  EXPECT_GE(steps, 28u);
  EXPECT_LE(moves, 2 * kDoublingsFrom1KiB);
  hakmem_free(text);
}

TEST(Resize, OfTheSmallestBlockIsInPlace) {
  void *block = hakmem_malloc(1);
  for (size_t size = 2; size <= 16; ++size) EXPECT_EQ(hakmem_realloc(block, size), block) << size;
  for (size_t size = 15; size >= 1; --size) EXPECT_EQ(hakmem_realloc(block, size), block) << size;
  hakmem_free(block);
}

TEST(Resize, ToLessThanHalfGivesMemoryBack) {
  void *block = hakmem_realloc(hakmem_malloc(32), 15);
  EXPECT_EQ(hakmem_usable_size(block), 16u);
  hakmem_free(block);
}

// A vector that doubles has its own room, and a block that ends at a power of two wastes nothing.
TEST(Resize, WhatGrowsByMuchGetsWhatItAsksFor) {
  hakmem_free(hakmem_malloc(1));
  t_heap->blocks_carved += 1 << 20;  // a large heap, in which no class lends blocks
  for (size_t size = 16; size < kMaxSmallBytes; size *= 2) {
    void *block = hakmem_malloc(size);
    for (const size_t grown : {2 * size - size / 4, 2 * size}) {
      block = hakmem_realloc(block, grown);
      EXPECT_EQ(hakmem_usable_size(block), class_bytes(class_of(grown))) << size << " to " << grown;
    }
    hakmem_free(block);
  }
}

// Room is a favour: without memory for it the block grows to the size asked for, and nobody hears of it.
TEST(Resize, WithoutMemoryForRoomItGrowsToItsSize) {
  hakmem_purge(HAKMEM_PURGE_ALL);
  void *block = hakmem_malloc(9216), *live = hakmem_malloc(10240), *spare = hakmem_malloc(10240);
  std::vector<void *> all;
  test::FakeKernel kernel;
  kernel.fail_call(0, true);
  for (size_t bytes = 4 * kMiB; bytes >= kSlabBytes; bytes /= 2) {
    while (void *run = hakmem_malloc(bytes)) all.push_back(run);
  }
  hakmem_free(spare);
  ASSERT_EQ(hakmem_malloc(12288), nullptr) << "there is room";
  errno = 0;
  void *grown = hakmem_realloc(block, 10000);
  EXPECT_EQ(errno, 0);
  EXPECT_EQ(grown, spare);
  kernel.fail_none();
  for (void *run : all) hakmem_free(run);
  hakmem_free(grown != nullptr ? grown : block);
  hakmem_free(live);
}

}  // namespace
}  // namespace hakmem
