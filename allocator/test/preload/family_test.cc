// family_test.cc - the malloc family and the C++ operators under their own names, in a program that
// links libhakmem.so: the rules of C23, POSIX 2024, glibc and C++ that hakmem.h's functions don't
// have.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

extern "C" {
// Of C23, of old, and of glibc's inside: not in every header.
void free_sized(void *block, size_t size) noexcept;
void free_aligned_sized(void *block, size_t alignment, size_t size) noexcept;
void cfree(void *block) noexcept;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *block);
}

namespace {

constexpr int kErrnoMark = 7777;
constexpr size_t kPage = 4096;
const size_t kSizes[] = {0,     1,     16,      17,      1'040,   1'041,    4'096,
                         32768, 32769, 1 << 20, 4 << 20, 5 << 20, 33 << 20, 80 << 20};
const size_t kTooLarge[] = {size_t{PTRDIFF_MAX} + 1, SIZE_MAX - kPage, SIZE_MAX};

bool is_aligned(const void *block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

// A block of hakmem's with room for `size` bytes, all of them written.
void expect_usable(void *block, size_t size) {
  ASSERT_NE(block, nullptr) << size;
  EXPECT_GE(malloc_usable_size(block), size);  // aborts on a block of another allocator
  std::memset(block, 0x5A, size);
}

TEST(Family, FreePreservesErrno) {
  for (const size_t size : kSizes) {
    void *blocks[] = {malloc(size), malloc(size), aligned_alloc(kPage, size), malloc(size)};
    for (void *block : blocks) expect_usable(block, size);
    errno = kErrnoMark;
    free(blocks[0]);
    EXPECT_EQ(errno, kErrnoMark) << "free, size " << size;
    free_sized(blocks[1], size);
    EXPECT_EQ(errno, kErrnoMark) << "free_sized, size " << size;
    free_aligned_sized(blocks[2], kPage, size);
    EXPECT_EQ(errno, kErrnoMark) << "free_aligned_sized, size " << size;
    cfree(blocks[3]);
    EXPECT_EQ(errno, kErrnoMark) << "cfree, size " << size;
  }
  free(nullptr);
  free_sized(nullptr, 10);
  free_aligned_sized(nullptr, 64, 128);
  cfree(nullptr);
  EXPECT_EQ(errno, kErrnoMark);
}

TEST(Family, ReallocToZeroFreesAndReturnsNull) {
  void *const blocks[] = {malloc(100), malloc(100), malloc(100)};
  errno = kErrnoMark;
  void *const results[] = {realloc(blocks[0], 0), reallocarray(blocks[1], 0, 8),
                           reallocarray(blocks[2], 8, 0)};
  EXPECT_EQ(errno, kErrnoMark);
  for (const void *result : results) EXPECT_EQ(result, nullptr);
}

TEST(Family, ReallocarrayThatOverflowsKeepsTheBlock) {
  char *block = static_cast<char *>(malloc(8));
  std::strcpy(block, "kept");
  errno = 0;
  const volatile size_t too_many = SIZE_MAX / 2 + 1;  // or the compiler warns of it
  char *grown = static_cast<char *>(reallocarray(block, too_many, 2));
  EXPECT_EQ(grown, nullptr);
  EXPECT_EQ(errno, ENOMEM);
  if (grown != nullptr) block = grown;
  EXPECT_STREQ(block, "kept");
  free(block);
}

TEST(Family, PosixMemalignTakesPowersOfTwoThatAreMultiplesOfAPointer) {
  for (const size_t alignment : {0, 1, 2, 3, 4, 12, 24, 48, 4097}) {
    void *out = &out;
    errno = kErrnoMark;
    EXPECT_EQ(posix_memalign(&out, alignment, 64), EINVAL) << alignment;
    EXPECT_EQ(out, &out) << "written on failure";
    EXPECT_EQ(errno, kErrnoMark) << "it returns its error";
  }
  for (const size_t size : kTooLarge) {
    void *out = &out;
    errno = kErrnoMark;
    EXPECT_EQ(posix_memalign(&out, 64, size), ENOMEM);
    EXPECT_EQ(out, &out) << "written on failure";
    EXPECT_EQ(errno, kErrnoMark) << "it returns its error";
  }
  for (const size_t alignment : {8, 16, 64, 4096, 1 << 21}) {
    void *block = nullptr;
    ASSERT_EQ(posix_memalign(&block, alignment, 100), 0);
    expect_usable(block, 100);
    EXPECT_TRUE(is_aligned(block, alignment));
    free(block);
  }
}

TEST(Family, AlignedAllocRefusesWhatIsNoPowerOfTwo) {
  for (const size_t alignment : {size_t{0}, size_t{3}, size_t{48}, SIZE_MAX}) {
    errno = 0;
    const void *refused = aligned_alloc(alignment, 96);
    EXPECT_EQ(refused, nullptr) << alignment;
    EXPECT_EQ(errno, EINVAL) << alignment;
  }
  // Since C17 the size need not be a multiple of the alignment.
  void *block = aligned_alloc(64, 100);
  expect_usable(block, 100);
  EXPECT_TRUE(is_aligned(block, 64));
  free(block);
}

TEST(Family, MemalignRoundsTheAlignmentUpAsGlibc) {
  const size_t pairs[][2] = {{0, 1}, {1, 1}, {3, 4}, {48, 64}, {100, 128}, {4097, 8192}};
  for (const auto &[asked, given] : pairs) {
    // Several, as one may be aligned by luck.
    for (int i = 0; i < 8; ++i) {
      void *block = memalign(asked, 100);
      expect_usable(block, 100);
      EXPECT_TRUE(is_aligned(block, given)) << asked;
      free(block);
    }
  }
  errno = 0;
  EXPECT_EQ(memalign(SIZE_MAX / 2 + 2, 1), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Family, VallocAndPvallocGivePages) {
  for (const size_t size : kSizes) {
    void *block = valloc(size);
    expect_usable(block, size);
    EXPECT_TRUE(is_aligned(block, kPage)) << size;
    free(block);
    block = pvalloc(size);
    expect_usable(block, (size + kPage - 1) / kPage * kPage);
    EXPECT_TRUE(is_aligned(block, kPage)) << size;
    free(block);
  }
  for (const size_t size : kTooLarge) {
    errno = 0;
    EXPECT_EQ(valloc(size), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(pvalloc(size), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
}

TEST(Family, SecondNamesOfGlibcAreTheSameAllocator) {
  void *const blocks[] = {__libc_malloc(100),        __libc_calloc(10, 10), __libc_valloc(100),
                          __libc_memalign(256, 100), __libc_pvalloc(100),   malloc(10)};
  for (void *block : blocks) {
    void *grown = __libc_realloc(block, 200);
    expect_usable(grown, 200);
    free(grown);
  }
  void *block = malloc(100);
  __libc_free(block);
}

TEST(Family, QuestionsAndSettings) {
  EXPECT_EQ(malloc_usable_size(nullptr), 0u);
  EXPECT_EQ(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
  malloc_trim(0);
  const struct mallinfo2 before = mallinfo2();
  void *huge = malloc(100 << 20);
  const struct mallinfo2 after = mallinfo2();
  EXPECT_EQ(after.hblks, before.hblks + 1);
  EXPECT_GE(after.hblkhd, before.hblkhd + (100 << 20));
  free(huge);
  const struct mallinfo2 freed = mallinfo2();
  EXPECT_EQ(freed.hblkhd, before.hblkhd);
  EXPECT_GE(freed.fordblks, before.fordblks + (100 << 20)) << "kept";
  EXPECT_LE(freed.uordblks + freed.fordblks, freed.arena);
  void *large = malloc(100'000);
  const size_t used = mallinfo2().uordblks;
  free(large);
  EXPECT_EQ(mallinfo2().uordblks, used - (128 << 10)) << "the thread keeps it, but it is free";
  EXPECT_GT(after.arena, 0u);
  EXPECT_LE(after.uordblks + after.fordblks, after.arena);
  errno = 0;
  EXPECT_EQ(malloc_info(1, stdout), -1);
  EXPECT_EQ(errno, EINVAL);
  char text[1000] = "";
  FILE *stream = fmemopen(text, sizeof text, "w");
  ASSERT_EQ(malloc_info(0, stream), 0);
  std::fclose(stream);
  EXPECT_EQ(std::strncmp(text, "<malloc version=\"hakmem", 23), 0) << text;
}

TEST(Family, TheNarrowMallinfoIsTheWideOneCutToInt) {
  void *huge = malloc(size_t{3} << 30);
  ASSERT_NE(huge, nullptr);
  const struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
  EXPECT_EQ(narrow.hblks, static_cast<int>(wide.hblks));
  EXPECT_EQ(narrow.arena, static_cast<int>(wide.arena));
  EXPECT_EQ(narrow.hblkhd, INT32_MAX);
  free(huge);
}

TEST(Family, TrimTellsWhetherMemoryWentBack) {
  void *block = malloc(3 << 20);
  ASSERT_NE(block, nullptr);
  std::memset(block, 1, 3 << 20);
  free(block);
  EXPECT_EQ(malloc_trim(0), 1);
  EXPECT_EQ(malloc_trim(0), 0);
}

TEST(Family, StatsGoToStandardError) {
  testing::internal::CaptureStderr();
  malloc_stats();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.rfind("hakmem: {", 0), 0u) << text;
  EXPECT_EQ(text.back(), '\n');
}

// --- operators

using std::align_val_t;
using std::nothrow;

TEST(Operators, EveryNewWithEveryDelete) {
  constexpr align_val_t kWide{256};
  for (const size_t size : kSizes) {
    const auto both = [size](void *one, void *array, size_t alignment, auto &&destroy) {
      expect_usable(one, size);
      expect_usable(array, size);
      EXPECT_NE(one, array);
      EXPECT_TRUE(is_aligned(one, alignment) && is_aligned(array, alignment)) << size;
      errno = kErrnoMark;
      destroy(one, array);
      EXPECT_EQ(errno, kErrnoMark) << size;
    };
    both(operator new(size), operator new[](size), 16, [](void *one, void *array) {
      operator delete(one);
      operator delete[](array);
    });
    both(operator new(size), operator new[](size), 16, [size](void *one, void *array) {
      operator delete(one, size);
      operator delete[](array, size);
    });
    both(operator new(size, nothrow), operator new[](size, nothrow), 16,
         [](void *one, void *array) {
           operator delete(one, nothrow);
           operator delete[](array, nothrow);
         });
    both(operator new(size, kWide), operator new[](size, kWide), 256, [](void *one, void *array) {
      operator delete(one, kWide);
      operator delete[](array, kWide);
    });
    both(operator new(size, kWide), operator new[](size, kWide), 256,
         [size](void *one, void *array) {
           operator delete(one, size, kWide);
           operator delete[](array, size, kWide);
         });
    both(operator new(size, kWide, nothrow), operator new[](size, kWide, nothrow), 256,
         [](void *one, void *array) {
           operator delete(one, kWide, nothrow);
           operator delete[](array, kWide, nothrow);
         });
  }
  operator delete(nullptr);
  operator delete (nullptr, size_t{8});
  operator delete[](nullptr, kWide);
}

// Calls all eight forms of new with `size`; returns how many threw bad_alloc and how many were
// NULL.
std::pair<int, int> all_forms(size_t size) {
  int threw = 0, null = 0;
  const auto attempt = [&](auto &&allocate) {
    try {
      if (allocate() == nullptr) ++null;
    } catch (const std::bad_alloc &) {
      ++threw;
    }
  };
  const align_val_t wide{64};
  attempt([&] { return operator new(size); });
  attempt([&] { return operator new[](size); });
  attempt([&] { return operator new(size, wide); });
  attempt([&] { return operator new[](size, wide); });
  attempt([&] { return operator new(size, nothrow); });
  attempt([&] { return operator new[](size, nothrow); });
  attempt([&] { return operator new(size, wide, nothrow); });
  attempt([&] { return operator new[](size, wide, nothrow); });
  return {threw, null};
}

TEST(Operators, FailureIsBadAllocOrNull) {
  for (const size_t size : kTooLarge) EXPECT_EQ(all_forms(size), std::pair(4, 4)) << size;
}

TEST(Operators, AHandlerThatThrowsIsNullToNothrow) {
  std::set_new_handler([] { throw std::bad_alloc(); });
  const auto [threw, null] = all_forms(SIZE_MAX);
  std::set_new_handler(nullptr);
  EXPECT_EQ(threw, 4);
  EXPECT_EQ(null, 4);
}

int g_handler_calls = 0;

TEST(Operators, TheHandlerIsAskedUntilItGivesUp) {
  const auto handler = [] {
    if (++g_handler_calls % 3 == 0) std::set_new_handler(nullptr);
  };
  std::set_new_handler(handler);
  EXPECT_THROW(EXPECT_EQ(operator new(SIZE_MAX), nullptr), std::bad_alloc);
  EXPECT_EQ(g_handler_calls, 3);
  std::set_new_handler(handler);
  EXPECT_EQ(operator new(SIZE_MAX, nothrow), nullptr);
  EXPECT_EQ(g_handler_calls, 6);
}

}  // namespace
