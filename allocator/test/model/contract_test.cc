// contract_test.cc - the promises of hakmem.h, one by one: errno, NULL, edge sizes, alignments.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "hakmem/hakmem.h"
#include "support/build.h"
#include "support/pattern.h"

namespace hakmem_test {
namespace {

constexpr int kErrnoMark = 7777;
// A size the compiler can't see, so that it does not warn of it or fold the call.
volatile size_t g_opaque_one = 1;
size_t opaque(size_t size) { return size * g_opaque_one; }

const size_t kTooLarge[] = {size_t{PTRDIFF_MAX} + 1,
                            SIZE_MAX - 4096,
                            SIZE_MAX - 15,
                            SIZE_MAX - 8,
                            SIZE_MAX - 7,
                            SIZE_MAX - 1,
                            SIZE_MAX};
const size_t kSizes[] = {0,     1,     16,    17,    1024,    1025,    2048,    4096,
                         32768, 32769, 65536, 65537, 1 << 20, 4 << 20, 5 << 20, 33 << 20};

std::string of_size(size_t size) { return "size " + std::to_string(size); }

size_t resident_bytes() {
  FILE *file = std::fopen("/proc/self/statm", "r");
  size_t total_pages = 0, resident_pages = 0;
  if (file == nullptr || std::fscanf(file, "%zu %zu", &total_pages, &resident_pages) != 2)
    ADD_FAILURE() << "cannot read /proc/self/statm";
  if (file != nullptr) std::fclose(file);
  return resident_pages * 4096;
}

TEST(Errno, TooLargeIsNullAndEnomem) {
  for (const size_t size : kTooLarge) {
    SCOPED_TRACE(of_size(size));
    void *out = &out;
    errno = 0;
    EXPECT_EQ(hakmem_malloc(opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(hakmem_calloc(opaque(size), 1), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(hakmem_calloc(1, opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(hakmem_realloc(nullptr, opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    for (const size_t alignment :
         {size_t{1}, size_t{16}, size_t{64}, size_t{4096}, size_t{1} << 30}) {
      errno = 0;
      EXPECT_EQ(hakmem_aligned_alloc(alignment, opaque(size)), nullptr) << alignment;
      EXPECT_EQ(errno, ENOMEM) << alignment;
    }
    EXPECT_EQ(hakmem_posix_memalign(&out, 64, opaque(size)), ENOMEM);
    EXPECT_EQ(out, &out) << "posix_memalign wrote *out on failure";
  }
}

TEST(Errno, ProductsThatOverflow) {
  const size_t half = SIZE_MAX / 2 + 1;
  const size_t root = size_t{1} << 32;
  const size_t products[][2] = {{half, 2},
                                {2, half},
                                {root, root},
                                {SIZE_MAX, SIZE_MAX},
                                {root + 1, root - 1},
                                {SIZE_MAX / 16 + 1, 16}};
  for (const auto &[count, size] : products) {
    SCOPED_TRACE(std::to_string(count) + " x " + std::to_string(size));
    errno = 0;
    EXPECT_EQ(hakmem_calloc(opaque(count), opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(hakmem_reallocarray(nullptr, opaque(count), opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
}

TEST(Errno, FailedReallocKeepsTheBlock) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(of_size(size));
    void *block = hakmem_malloc(size);
    ASSERT_NE(block, nullptr);
    fill_pattern(block, size, 1);
    for (const size_t too_large : kTooLarge) {
      errno = 0;
      EXPECT_EQ(hakmem_realloc(block, opaque(too_large)), nullptr) << too_large;
      EXPECT_EQ(errno, ENOMEM);
      errno = 0;
      EXPECT_EQ(hakmem_reallocarray(block, opaque(too_large), 1), nullptr) << too_large;
      EXPECT_EQ(errno, ENOMEM);
    }
    errno = 0;
    EXPECT_EQ(hakmem_reallocarray(block, opaque(SIZE_MAX / 2 + 1), 2), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(first_damage(block, size, size, 1), kIntact);
    hakmem_free(block);
  }
}

TEST(Errno, AlignmentsThatAreNone) {
  for (const size_t alignment :
       {size_t{0}, size_t{3}, size_t{6}, size_t{24}, size_t{4097}, SIZE_MAX}) {
    SCOPED_TRACE(alignment);
    void *out = &out;
    errno = 0;
    EXPECT_EQ(hakmem_aligned_alloc(alignment, 64), nullptr);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(hakmem_posix_memalign(&out, alignment, 64), EINVAL);
    EXPECT_EQ(out, &out) << "posix_memalign wrote *out on failure";
  }
  // POSIX: also a power of two must be a multiple of sizeof(void *).
  for (const size_t alignment : {1, 2, 4}) {
    void *out = &out;
    EXPECT_EQ(hakmem_posix_memalign(&out, alignment, 64), EINVAL) << alignment;
    EXPECT_EQ(out, &out);
  }
}

TEST(Errno, AlignmentsBeyondMemory) {
  for (const size_t alignment : {size_t{1} << 48, size_t{1} << 62, size_t{1} << 63}) {
    errno = 0;
    EXPECT_EQ(hakmem_aligned_alloc(alignment, 64), nullptr) << alignment;
    EXPECT_EQ(errno, ENOMEM) << alignment;
    void *out = &out;
    EXPECT_EQ(hakmem_posix_memalign(&out, alignment, 64), ENOMEM) << alignment;
    EXPECT_EQ(out, &out);
  }
}

TEST(Errno, UntouchedOnSuccess) {
  errno = kErrnoMark;
  for (const size_t size : kSizes) {
    SCOPED_TRACE(of_size(size));
    void *blocks[6] = {hakmem_malloc(size),
                       hakmem_calloc(1, size),
                       hakmem_realloc(nullptr, size + 1),
                       hakmem_reallocarray(nullptr, 2, size + 1),
                       hakmem_aligned_alloc(256, size),
                       nullptr};
    EXPECT_EQ(hakmem_posix_memalign(&blocks[5], 4096, size), 0);
    EXPECT_EQ(errno, kErrnoMark) << "set by an allocation";
    blocks[0] = hakmem_realloc(blocks[0], size * 2 + 1);
    blocks[0] = hakmem_realloc(blocks[0], size / 3 + 1);
    EXPECT_EQ(errno, kErrnoMark) << "set by realloc";
    for (void *block : blocks) {
      ASSERT_NE(block, nullptr);
      hakmem_usable_size(block);
      hakmem_free(block);
    }
    EXPECT_EQ(errno, kErrnoMark) << "set by free";
  }
  hakmem_free(nullptr);
  hakmem_free_sized(nullptr, 0);
  hakmem_free_aligned_sized(nullptr, 64, 128);
  hakmem_usable_size(nullptr);
  hakmem_purge(HAKMEM_PURGE_THREAD);
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(errno, kErrnoMark);
}

TEST(ZeroSize, BlocksAreDistinctAndFreeable) {
  std::set<void *> seen;
  for (int i = 0; i < 1000; ++i) {
    void *const blocks[] = {hakmem_malloc(0), hakmem_calloc(0, 8), hakmem_calloc(8, 0),
                            hakmem_aligned_alloc(64, 0), hakmem_realloc(nullptr, 0)};
    for (void *block : blocks) {
      ASSERT_NE(block, nullptr);
      EXPECT_TRUE(seen.insert(block).second) << "handed out twice";
    }
  }
  for (void *block : seen) hakmem_free(block);
}

// C leaves realloc(p, 0) to the implementation: either way the block is gone, nothing fails, and
// what comes back can be freed.
TEST(ZeroSize, ReallocToZeroReleasesTheBlock) {
  for (const size_t size : kSizes) {
    for (int i = 0; i < 50; ++i) {
      void *block = hakmem_malloc(size);
      ASSERT_NE(block, nullptr);
      errno = kErrnoMark;
      hakmem_free(hakmem_realloc(block, opaque(0)));
      EXPECT_EQ(errno, kErrnoMark) << of_size(size);
    }
  }
}

TEST(Realloc, OfNullIsMalloc) {
  void *block = hakmem_realloc(nullptr, 100);
  ASSERT_NE(block, nullptr);
  EXPECT_GE(hakmem_usable_size(block), 100u);
  hakmem_free(block);
}

TEST(Realloc, GrowsAndShrinksThroughEveryKindOfBlock) {
  for (const size_t from : kSizes)
    for (const size_t to : kSizes) {
      if (to == 0 || (kSanitizer && from + to > (8 << 20))) continue;
      void *block = hakmem_malloc(from);
      ASSERT_NE(block, nullptr);
      fill_pattern(block, from, 2);
      block = hakmem_realloc(block, to);
      ASSERT_NE(block, nullptr);
      EXPECT_GE(hakmem_usable_size(block), to);
      EXPECT_EQ(first_damage(block, from < to ? from : to, from, 2), kIntact)
          << "from " << from << " to " << to;
      fill_pattern(block, to, 3);
      hakmem_free(block);
    }
}

TEST(UsableSize, OfNullIsZero) { EXPECT_EQ(hakmem_usable_size(nullptr), 0u); }

TEST(UsableSize, EverySmallSize) {
  for (size_t size = 0; size <= 40'000; ++size) {
    void *block = hakmem_malloc(size);
    ASSERT_NE(block, nullptr);
    const size_t usable = hakmem_usable_size(block);
    ASSERT_GE(usable, size);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u) << size;
    // Steps of 16 bytes, then eight classes a doubling, of which the next may lend a block; whole pages
    // at the least above them.
    ASSERT_LE(usable, size + (size <= 32768 ? size / 4 + 16 : 65536)) << "wasteful at " << size;
    std::memset(block, 0xA5, usable);
    hakmem_free_sized(block, size);
  }
}

TEST(UsableSize, CanBeAskedFor) {
  for (const size_t size : kSizes) {
    void *first = hakmem_malloc(size);
    const size_t usable = hakmem_usable_size(first);
    void *second = hakmem_malloc(usable);
    EXPECT_GE(hakmem_usable_size(second), usable) << of_size(size);
    hakmem_free_sized(first, usable);
    hakmem_free_sized(second, usable);
  }
}

TEST(Alignment, EveryPowerOfTwoTimesManySizes) {
  for (size_t log2 = 0; log2 <= 25; ++log2) {
    const size_t alignment = size_t{1} << log2;
    for (const size_t size : kSizes) {
      SCOPED_TRACE("alignment " + std::to_string(alignment) + " " + of_size(size));
      if (kSanitizer && size > (1 << 20)) continue;
      void *first = hakmem_aligned_alloc(alignment, size);
      void *second = hakmem_aligned_alloc(alignment, size);
      ASSERT_NE(first, nullptr);
      ASSERT_NE(second, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % alignment, 0u);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(second) % alignment, 0u);
      EXPECT_GE(hakmem_usable_size(first), size);
      fill_pattern(first, size, 1);
      fill_pattern(second, size, 2);
      EXPECT_EQ(first_damage(first, size, size, 1), kIntact);
      hakmem_free_aligned_sized(first, alignment, size);
      EXPECT_EQ(first_damage(second, size, size, 2), kIntact);
      hakmem_free(second);
    }
  }
}

TEST(Alignment, ReallocOfAnAlignedBlockKeepsItsBytes) {
  for (const size_t alignment : {size_t{64}, size_t{4096}, size_t{1} << 16, size_t{1} << 21}) {
    void *block = hakmem_aligned_alloc(alignment, 5000);
    ASSERT_NE(block, nullptr);
    fill_pattern(block, 5000, 4);
    block = hakmem_realloc(block, 100'000);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(first_damage(block, 5000, 5000, 4), kIntact) << alignment;
    hakmem_free(block);
  }
}

TEST(Calloc, ZeroesMemoryThatWasUsedBefore) {
  for (const size_t size : kSizes) {
    SCOPED_TRACE(of_size(size));
    for (int round = 0; round < 3; ++round) {
      void *dirty = hakmem_malloc(size);
      ASSERT_NE(dirty, nullptr);
      std::memset(dirty, 0xFF, hakmem_usable_size(dirty));
      hakmem_free(dirty);
      void *clean = hakmem_calloc(1, size);
      ASSERT_NE(clean, nullptr);
      EXPECT_EQ(first_nonzero(clean, size), kIntact);
      std::memset(clean, 0xFF, size);
      hakmem_free(clean);
    }
  }
}

TEST(Calloc, DoesNotTouchFreshHugeMemory) {
  if (kSanitizer) GTEST_SKIP() << "resident memory is the sanitizer's";
  const size_t before = resident_bytes();
  void *block = hakmem_calloc(1 << 10, 1 << 20);
  ASSERT_NE(block, nullptr);
  EXPECT_LT(resident_bytes(), before + (16u << 20)) << "calloc wrote zeroes over zero pages";
  hakmem_free(block);
}

TEST(Purge, GivesFreedMemoryBack) {
  ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "3600000"),
            0);  // on a slow machine it would age
  std::vector<void *> blocks;
  for (int i = 0; i < 20'000; ++i) {
    blocks.push_back(hakmem_malloc(4000));
    ASSERT_NE(blocks.back(), nullptr);
    std::memset(blocks.back(), 1, 4000);
  }
  for (void *block : blocks) hakmem_free(block);
  const size_t before = resident_bytes();
  const size_t given_back = hakmem_purge(HAKMEM_PURGE_ALL);
  ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "250"), 0);
  if (kSanitizer) return;
  EXPECT_LT(resident_bytes() + (64u << 20), before) << "78 MB were free";
  EXPECT_GE(given_back, size_t{64} << 20);
}

TEST(Configure, NamesTheUnknownAndTheInvalid) {
  EXPECT_EQ(hakmem_configure("HAKMEM_NO_SUCH_KNOB", "1"), ENOENT);
  EXPECT_EQ(hakmem_configure("HAKMEM_SS_MEM_LEAN", "plenty"), EINVAL);
  EXPECT_EQ(hakmem_configure("HAKMEM_SS_MEM_LEAN", ""), EINVAL);
}

TEST(Stats, FitOrTellTheLengthTheyNeed) {
  char full[1 << 16];
  const size_t length = hakmem_stats_json(full, sizeof full);
  ASSERT_LT(length, sizeof full);
  EXPECT_EQ(std::strlen(full), length);
  EXPECT_EQ(full[0], '{');
  char little[8];
  std::memset(little, 'x', sizeof little);
  hakmem_stats_json(little, 4);
  EXPECT_LE(strnlen(little, sizeof little), 3u);
  EXPECT_EQ(little[4], 'x') << "wrote beyond cap";
  EXPECT_GT(hakmem_stats_json(nullptr, 0), 0u);
}

TEST(Version, IsTheHeaders) {
  EXPECT_EQ(std::string(hakmem_version()).rfind(HAKMEM_VERSION " ", 0), 0u) << hakmem_version();
}

}  // namespace
}  // namespace hakmem_test
