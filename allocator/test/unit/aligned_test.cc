// aligned_test.cc - every alignment up to a page, every size up to two.
#include <gtest/gtest.h>

#include <vector>

#include "api/fast_path.h"
#include "hakmem/hakmem.h"
#include "sizeclass/sizeclass.h"

namespace hakmem {
namespace {

size_t smallest_block(size_t alignment, size_t size) {
  size_t c = 1;
  while (kClassInfo[c].bytes < size || kClassInfo[c].bytes % alignment != 0) ++c;
  return kClassInfo[c].bytes;
}

void expect_right(void *block, size_t alignment, size_t size) {
  ASSERT_NE(block, nullptr) << size << " aligned to " << alignment;
  ASSERT_EQ(address_of(block) % alignment, 0u) << size << " aligned to " << alignment;
  const size_t usable = hakmem_usable_size(block);
  ASSERT_GE(usable, size) << "aligned to " << alignment;
  // What any block satisfies is malloc's, which may take a larger one.
  if (alignment > kMinAlign) {
    ASSERT_EQ(usable, smallest_block(alignment, size)) << size << " aligned to " << alignment;
  }
}

// Twice: the first time most magazines are empty, the second time the fast path serves.
TEST(Aligned, EverySizeGetsTheSmallestBlockThatIsAligned) {
  for (int turn = 0; turn < 2; ++turn) {
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
      std::vector<void *> blocks;
      for (size_t size = 0; size <= 8192; ++size) {
        blocks.push_back(hakmem_aligned_alloc(alignment, size));
        ASSERT_NO_FATAL_FAILURE(expect_right(blocks.back(), alignment, size));
        if (alignment % sizeof(void *) == 0) {
          void *block = nullptr;
          ASSERT_EQ(hakmem_posix_memalign(&block, alignment, size), 0);
          ASSERT_NO_FATAL_FAILURE(expect_right(block, alignment, size));
          blocks.push_back(block);
        }
        if (blocks.size() < 100) continue;
        for (void *block : blocks) hakmem_free(block);
        blocks.clear();
      }
      for (void *block : blocks) hakmem_free(block);
    }
  }
}

TEST(Aligned, FastPathLeavesTheRestAlone) {
  hakmem_free(hakmem_aligned_alloc(64, 64));
  for (const size_t alignment : {size_t{0}, size_t{3}, size_t{48}, SIZE_MAX}) {
    EXPECT_EQ(pop_aligned(alignment, 64), nullptr) << alignment;
  }
  for (const size_t size : {size_t{0}, kMaxSmallBytes + 1, SIZE_MAX - 62, SIZE_MAX}) {
    EXPECT_EQ(pop_aligned(64, size), nullptr) << size;
  }
  EXPECT_EQ(pop_aligned(2 * kMaxSmallBytes, 64), nullptr);
  EXPECT_EQ(pop_aligned(size_t{1} << 63, 64), nullptr);
}

// A class that is watched after a burst (watch.h), as the tests above may leave it, comes into sight
// again only once it has made its share of slow calls.
TEST(Aligned, AFreedBlockIsTheNextOfItsAlignmentAndSize) {
  void *block = nullptr;
  void *next = nullptr;
  for (int turn = 0; turn < 100'000 && next == nullptr; ++turn) {
    block = hakmem_aligned_alloc(512, 700);
    hakmem_free(block);
    next = pop_aligned(512, 1000);
  }
  EXPECT_EQ(next, block);
  hakmem_free(next);
}

}  // namespace
}  // namespace hakmem
