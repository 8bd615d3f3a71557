// huge_cache_test.cc - which freed huge block serves which request, how much is kept, and for how
// long; the clock is injected.
#include "superslab/huge_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "huge_fixture.h"
#include "slab/locate.h"

namespace hakmem {
namespace {

// All that is mapped.
size_t address_space_bytes() {
  FILE *statm = fopen("/proc/self/statm", "re");
  unsigned long pages = 0;
  EXPECT_EQ(fscanf(statm, "%lu", &pages), 1);
  fclose(statm);
  return pages * kOsPageBytes;
}

// While it lives, the process can have only so much more address space.
class LittleAddressSpace {
 public:
  explicit LittleAddressSpace(size_t more_bytes) {
    EXPECT_EQ(getrlimit(RLIMIT_AS, &before_), 0);
    const rlimit tight{address_space_bytes() + more_bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  }
  ~LittleAddressSpace() { setrlimit(RLIMIT_AS, &before_); }
  LittleAddressSpace(const LittleAddressSpace &) = delete;
  LittleAddressSpace &operator=(const LittleAddressSpace &) = delete;

 private:
  rlimit before_{};
};

TEST_F(HugeCache, ABlockServesTheNextWithItsPages) {
  char *block = allocate(20 * kMiB);
  give_back(block);
  EXPECT_EQ(kept().bytes, 20 * kMiB);
  EXPECT_EQ(live_bytes(), 0u);
  const uint64_t calls = kernel_.calls();
  const uint64_t hits = kept().hits;
  auto *again = static_cast<char *>(hakmem_malloc(20 * kMiB));
  live_.push_back(again);
  EXPECT_EQ(again, block);
  EXPECT_EQ(kernel_.calls(), calls);
  EXPECT_EQ(kept().hits, hits + 1);
  EXPECT_EQ(resident_bytes(again, 20 * kMiB), 20 * kMiB);
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(HugeCache, TheSmallestThatIsLargeEnoughServes) {
  char *small = allocate(8 * kMiB);
  char *large = allocate(40 * kMiB);
  char *best = allocate(18 * kMiB);
  give_back(small);
  give_back(best);
  give_back(large);
  EXPECT_EQ(allocate(17 * kMiB), best);
  EXPECT_EQ(hakmem_usable_size(best), 18 * kMiB) << "a little more stays with the block";
  EXPECT_EQ(kept().blocks, 2u);
}

TEST_F(HugeCache, WholePageTablesWhereThatIsLittleMore) {
  EXPECT_EQ(hakmem_usable_size(allocate(15 * kMiB + 1)), 16 * kMiB);
  EXPECT_EQ(hakmem_usable_size(allocate(4 * kMiB + 1)), 4 * kMiB + kOsPageBytes);
  live_.push_back(hakmem_aligned_alloc(kUnitBytes, 1));
  EXPECT_EQ(hakmem_usable_size(live_.back()), kOsPageBytes);
}

TEST_F(HugeCache, WhatIsNotNeededIsKeptForOthersWhereItLies) {
  char *block = allocate(40 * kMiB);
  give_back(block);
  EXPECT_EQ(allocate(24 * kMiB), block);
  EXPECT_EQ(hakmem_usable_size(block), 24 * kMiB);
  EXPECT_EQ(kept().bytes, 16 * kMiB);
  char *rest = allocate(16 * kMiB);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(resident_bytes(rest, 16 * kMiB), 16 * kMiB);
  EXPECT_EQ(block[24 * kMiB - 1], 'x');
  EXPECT_EQ(locate(block + 24 * kMiB).what, Location::What::kForeign);
  give_back(rest);
  EXPECT_EQ(hakmem_realloc(block, 40 * kMiB), block) << "the address space behind it is free";
}

// A block of 24 MiB that serves what was one of 40.
class SpareOfABlock : public HugeCache {
 protected:
  void SetUp() override {
    HugeCache::SetUp();
    give_back(block_ = allocate(40 * kMiB));
    ASSERT_EQ(hakmem_malloc(24 * kMiB), block_);
    live_.push_back(block_);
    memset(block_, 'y', 24 * kMiB);
    ASSERT_EQ(kept().bytes, 16 * kMiB);
    ASSERT_EQ(kept().blocks, 0u);
    ASSERT_EQ(live_bytes(), 24 * kMiB);
  }
  char *behind() { return block_ + 24 * kMiB; }

  char *block_ = nullptr;
};

TEST_F(SpareOfABlock, CostsNoCallToTheKernel) {
  const uint64_t calls = kernel_.calls();
  give_back(block_);
  EXPECT_EQ(kept().bytes, 40 * kMiB);
  EXPECT_EQ(kept().blocks, 1u);
  EXPECT_EQ(allocate(30 * kMiB), block_);
  EXPECT_EQ(kernel_.calls(), calls);
  EXPECT_EQ(kept().bytes, 10 * kMiB);
}

TEST_F(SpareOfABlock, ServesOthersWithItsPages) {
  for (const size_t bytes : {6 * kMiB, 10 * kMiB}) {
    live_.push_back(hakmem_malloc(bytes));
    EXPECT_EQ(resident_bytes(live_.back(), bytes), bytes);
  }
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(block_[24 * kMiB - 1], 'y');
}

TEST_F(SpareOfABlock, IsWhatReallocTakesFirst) {
  const uint64_t calls = kernel_.calls();
  EXPECT_EQ(hakmem_realloc(block_, 34 * kMiB), block_);
  EXPECT_EQ(kernel_.calls(), calls);
  EXPECT_EQ(hakmem_usable_size(block_), 34 * kMiB);
  EXPECT_EQ(resident_bytes(block_, 34 * kMiB), 34 * kMiB);
  EXPECT_EQ(kept().bytes, 6 * kMiB);
  EXPECT_EQ(hakmem_realloc(block_, 44 * kMiB), block_);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(resident_bytes(block_, 44 * kMiB), 40 * kMiB);
  EXPECT_EQ(hakmem_realloc(block_, 10 * kMiB), block_);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(live_bytes(), 10 * kMiB);
}

TEST_F(SpareOfABlock, StaysWhereTheBlockCannotGrow) {
  kernel_.fail_call(0, true);
  EXPECT_EQ(hakmem_realloc(block_, 400 * kMiB), nullptr);
  kernel_.fail_none();
  EXPECT_EQ(hakmem_usable_size(block_), 24 * kMiB);
  EXPECT_EQ(kept().bytes, 16 * kMiB);
  EXPECT_EQ(block_[24 * kMiB - 1], 'y');
}

TEST_F(SpareOfABlock, GoesBackWhenItIsOfAge) {
  pass_ages(1);
  allocate(5 * kMiB);
  EXPECT_EQ(kept().bytes, 10 * kMiB) << "a third of it was taken, and the rest is no younger";
  pass_ages(2);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(resident_bytes(block_, 24 * kMiB), 24 * kMiB);
  EXPECT_EQ(block_[24 * kMiB - 1], 'y');
  EXPECT_EQ(locate(block_).what, Location::What::kHuge);
}

TEST_F(SpareOfABlock, GoesBackOnDemandAndWhatIsRefusedIsKept) {
  kernel_.fail_call(0, true);
  EXPECT_EQ(hakmem_purge(HAKMEM_PURGE_ALL), 0u);
  kernel_.fail_none();
  EXPECT_EQ(kept().bytes, 16 * kMiB);
  EXPECT_EQ(hakmem_purge(HAKMEM_PURGE_ALL), 16 * kMiB);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(block_[0], 'y');
}

// Of what may be kept, and the last of it in part.
TEST_F(SpareOfABlock, CountsAsKept) {
  live_.push_back(hakmem_calloc(1, 6 * kMiB));
  EXPECT_EQ(kept().bytes, 10 * kMiB);
  EXPECT_EQ(resident_bytes(behind(), 10 * kMiB), 10 * kMiB);
  live_.push_back(hakmem_calloc(1, 20 * kMiB));
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(hakmem_usable_size(block_), 24 * kMiB);
}

TEST_F(SpareOfABlock, WhatIsBehindTheBlockIsNobodys) {
  EXPECT_EQ(locate(behind() - 1).what, Location::What::kInterior);
  EXPECT_EQ(locate(behind()).what, Location::What::kForeign);
}

TEST_F(HugeCache, WhatIsLessMoves) {
  char *block = allocate(40 * kMiB);
  give_back(block);
  char *small = allocate(6 * kMiB);
  EXPECT_NE(small, block);
  EXPECT_EQ(resident_bytes(small, 6 * kMiB), 6 * kMiB);
  EXPECT_EQ(kept().bytes, 34 * kMiB);
  EXPECT_EQ(allocate(34 * kMiB), block);
  EXPECT_EQ(locate(block + 34 * kMiB).what, Location::What::kForeign);
}

TEST_F(HugeCache, TheEndOfAPageTableIsSpare) {
  constexpr size_t kOdd = 4 * kMiB + kOsPageBytes;
  char *block = allocate(6 * kMiB);
  give_back(block);
  EXPECT_EQ(allocate(kOdd), block);
  EXPECT_EQ(hakmem_usable_size(block), kOdd);
  EXPECT_EQ(kept().bytes, 6 * kMiB - kOdd);
  EXPECT_EQ(resident_bytes(block, 6 * kMiB), 6 * kMiB);
  live_.push_back(hakmem_malloc(5 * kMiB));
  EXPECT_EQ(kept().bytes, 0u) << "it counts as kept, and what is too much goes back";
  EXPECT_EQ(block[kOdd - 1], 'x');
}

// What is kept fits other blocks.
TEST_F(HugeCache, AFreedBlockReachesTheEndOfAPageTable) {
  constexpr size_t kOdd = 4 * kMiB + kOsPageBytes;
  give_back(allocate(20 * kMiB));  // so much may be kept
  hakmem_purge(HAKMEM_PURGE_ALL);
  give_back(allocate(kOdd));
  EXPECT_EQ(kept().bytes, 6 * kMiB);
  hakmem_purge(HAKMEM_PURGE_ALL);
  char *block = allocate(kOdd);
  kernel_.fail_call(0);
  give_back(block);
  EXPECT_EQ(kept().bytes, 4 * kMiB) << "it may not grow, so its end goes back";
}

TEST_F(HugeCache, LiveAndKeptAreNeverMoreThanHasBeenLive) {
  std::vector<char *> blocks;
  for (int i = 0; i < 5; ++i) blocks.push_back(allocate(16 * kMiB));
  for (char *block : blocks) give_back(block);
  EXPECT_EQ(kept().bytes, 80 * kMiB);
  // Zeroed memory comes from the kernel, not from here.
  live_.push_back(hakmem_calloc(1, 30 * kMiB));
  EXPECT_EQ(kept().bytes, 50 * kMiB) << "of the last block what is too much";
  live_.push_back(hakmem_calloc(1, 60 * kMiB));
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(HugeCache, ThePeakIsForgotten) {
  void *stays = allocate(16 * kMiB);
  give_back(allocate(64 * kMiB));
  EXPECT_EQ(kept().bytes, 64 * kMiB);
  pass_ages(3);
  EXPECT_EQ(kept().bytes, 0u);
  give_back(stays);
  EXPECT_EQ(kept().bytes, 16 * kMiB);
  live_.push_back(hakmem_calloc(1, 16 * kMiB));
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(HugeCache, TheShareIsAKnob) {
  ASSERT_EQ(hakmem_configure("HAKMEM_HUGE_CACHE_PERCENT", "50"), 0);
  void *blocks[] = {allocate(16 * kMiB), allocate(16 * kMiB)};
  give_back(blocks[0]);
  EXPECT_EQ(kept().bytes, 0u);
  give_back(blocks[1]);
  EXPECT_EQ(kept().bytes, 16 * kMiB);
  ASSERT_EQ(hakmem_configure("HAKMEM_HUGE_CACHE_PERCENT", "0"), 0);
  give_back(allocate(16 * kMiB));
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(HugeCache, AgedBlocksGoBackAndFreshOnesStay) {
  test::pass_ms(&kernel_, 100);
  give_back(allocate(16 * kMiB));
  EXPECT_TRUE(page_heap::backlog());
  pass_ages(1);  // an age began meanwhile, but this was no whole one
  EXPECT_EQ(kept().bytes, 16 * kMiB) << "given back before its time";
  pass_ages(3);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_FALSE(page_heap::backlog());
}

// While slabs go back by parts, at several ticks of one age, a huge block has its time all the same.
TEST_F(HugeCache, WhatIsFreedWhileABurstGoesBackHasItsTime) {
  std::vector<void *> blocks;
  for (size_t bytes = 0; bytes < 1024 * kMiB; bytes += kMiB) {
    blocks.push_back(hakmem_malloc(kMiB));
    static_cast<volatile char *>(blocks.back())[0] = 1;
  }
  char *late = allocate(16 * kMiB);
  for (void *block : blocks) hakmem_free(block);
  const uint64_t discards = kernel_.discards();
  while (kernel_.discards() == discards) test::pass_ms(&kernel_, 10);
  test::pass_ms(&kernel_, 90);
  give_back(late);
  test::pass_to_next_age(&kernel_);
  test::pass_ms(&kernel_, 110);
  EXPECT_GT(page_heap::totals().free_touched_bytes, 0u) << "there is no burst any more";
  EXPECT_EQ(resident_bytes(late, 16 * kMiB), 16 * kMiB) << "given back before its time";
  test::pass_to_next_age(&kernel_);
  EXPECT_EQ(resident_bytes(late, 16 * kMiB), 0u);
}

TEST_F(HugeCache, ABlockInUseAgainAndAgainDoesNotAge) {
  for (int i = 0; i < 10; ++i) {
    char *block = allocate(16 * kMiB);
    pass_ages(2);
    give_back(block);
    EXPECT_EQ(kept().bytes, 16 * kMiB);
  }
}

TEST_F(HugeCache, ABurstIsGoneInTwoSeconds) {
  std::vector<void *> blocks;
  for (size_t bytes = 0; bytes < 2048 * kMiB; bytes += 64 * kMiB) {
    blocks.push_back(hakmem_malloc(64 * kMiB));
  }
  for (void *block : blocks) hakmem_free(block);
  EXPECT_EQ(kept().bytes, 2048 * kMiB);
  size_t most_at_once = 0;
  for (int ms = 0; ms < 2000; ms += 10) {
    const size_t before = kept().bytes;
    kernel_.advance_ms(10);
    page_heap::tick();
    most_at_once = std::max(most_at_once, before - kept().bytes);
  }
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_LE(most_at_once, 256 * kMiB) << "one call of malloc pays for all";
}

TEST_F(HugeCache, PurgeGivesAllBackAndSaysSo) {
  give_back(allocate(16 * kMiB));
  EXPECT_GE(hakmem_purge(HAKMEM_PURGE_ALL), 16 * kMiB);
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(HugeCache, CallocIsZero) {
  give_back(allocate(16 * kMiB));
  auto *block = static_cast<char *>(hakmem_calloc(1, 16 * kMiB));
  live_.push_back(block);
  EXPECT_EQ(resident_bytes(block, 16 * kMiB), 0u);
  for (size_t i = 0; i < 16 * kMiB; ++i) ASSERT_EQ(block[i], 0);
}

TEST_F(HugeCache, AlignmentHolds) {
  for (const size_t alignment : {64 * kMiB, 128 * kMiB}) {
    for (size_t newest = 0; newest < 4; ++newest) {
      std::vector<void *> blocks;
      for (int i = 0; i < 4; ++i) blocks.push_back(allocate(20 * kMiB));
      for (size_t i = 1; i <= 4; ++i) give_back(blocks[(newest + i) % 4]);
      for (const size_t bytes : {6 * kMiB, 14 * kMiB, 20 * kMiB, 30 * kMiB}) {
        void *aligned = hakmem_aligned_alloc(alignment, bytes);
        EXPECT_EQ(address_of(aligned) % alignment, 0u);
        hakmem_free(aligned);
      }
    }
  }
}

TEST_F(HugeCache, AKeptBlockIsNobodys) {
  char *block = allocate(16 * kMiB);
  HugeBlock *record = locate(block).huge;
  give_back(block);
  EXPECT_EQ(locate(block).what, Location::What::kForeign);
  EXPECT_EQ(locate(block + kMiB).what, Location::What::kForeign);
  EXPECT_FALSE(huge_blocks::free(record)) << "as when two threads free it at a time";
  EXPECT_DEATH(hakmem_free(block), "hakmem: ");
  EXPECT_DEATH(hakmem_free(block + kMiB), "hakmem: ");
  EXPECT_EQ(kept().bytes, 16 * kMiB);
}

TEST_F(HugeCache, HugePagesAreForLargeMappingsOnly) {
  give_back(allocate(64 * kMiB));
  const test::FakeKernel::Advice before = kernel_.advice();
  EXPECT_GT(before.wanted, 0u);
  allocate(8 * kMiB);
  EXPECT_EQ(kernel_.advice().refused, before.refused + 1);
  allocate(50 * kMiB);  // the rest of it
  EXPECT_EQ(kernel_.advice().refused, before.refused + 2);
  for (void *block : {live_[0], live_[1]}) give_back(block);
  allocate(66 * kMiB);
  EXPECT_EQ(kernel_.advice().wanted, before.wanted + 2) << "the largest, and what was put to it";
}

// Blocks of every way into and out of the cache. Returns how many requests failed.
size_t scenario() {
  size_t failures = 0;
  std::vector<std::pair<char *, size_t>> blocks;
  const auto take = [&](void *p, size_t bytes) {
    if (p == nullptr) {
      ++failures;
      EXPECT_EQ(errno, ENOMEM);
      return;
    }
    auto *block = static_cast<char *>(p);
    EXPECT_GE(hakmem_usable_size(block), bytes);
    block[0] = block[bytes - 1] = static_cast<char>(bytes / kMiB);
    blocks.emplace_back(block, bytes);
  };
  const auto drop_all = [&] {
    for (const auto &[block, bytes] : blocks) {
      EXPECT_EQ(block[0], static_cast<char>(bytes / kMiB));
      EXPECT_EQ(block[bytes - 1], static_cast<char>(bytes / kMiB));
      hakmem_free(block);
    }
    blocks.clear();
  };
  for (const size_t mib : {20, 6, 10, 12}) take(hakmem_malloc(mib * kMiB), mib * kMiB);
  drop_all();
  for (const size_t mib : {9, 38, 5, 7}) take(hakmem_malloc(mib * kMiB), mib * kMiB);
  take(hakmem_calloc(1, 6 * kMiB), 6 * kMiB);
  for (auto &[block, bytes] : blocks) {
    if (bytes != 9 * kMiB && bytes != 38 * kMiB) continue;
    if (void *grown = hakmem_realloc(block, 50 * kMiB)) {
      block = static_cast<char *>(grown);
      EXPECT_EQ(block[0], static_cast<char>(bytes / kMiB));
      EXPECT_EQ(block[bytes - 1], static_cast<char>(bytes / kMiB));
      bytes = 50 * kMiB;
      block[0] = block[bytes - 1] = 50;
    } else {
      ++failures;
    }
  }
  drop_all();
  hakmem_purge(HAKMEM_PURGE_ALL);
  return failures;
}

TEST_F(HugeCache, EveryCallToTheKernelMayFail) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "one thread, and 40 s of shadow memory mapped anew";
#endif
  static_cast<void>(scenario());
  const uint64_t before = kernel_.calls();
  ASSERT_EQ(scenario(), 0u);
  const uint64_t calls = kernel_.calls() - before;
  ASSERT_GT(calls, 10u);
  size_t failures = 0;
  struct Way {
    bool and_all_after, lose_targets;
  };
  for (const Way way : {Way{false, false}, Way{true, false}, Way{false, true}}) {
    const size_t mapped = address_space_bytes();
    for (uint64_t n = 0; n < calls + 5; ++n) {
      SCOPED_TRACE(n);
      kernel_.lose_targets(way.lose_targets);
      kernel_.fail_call(n, way.and_all_after);
      failures += scenario();
      kernel_.fail_none();
      EXPECT_EQ(live_bytes(), 0u);
      ASSERT_EQ(scenario(), 0u) << "does not work again";
      EXPECT_EQ(kept().bytes, 0u) << "what was refused is kept for ever";
      EXPECT_EQ(kernel_.unmap_lost_targets(), 0u) << "another thread's memory was unmapped";
      if (!way.and_all_after) {
        EXPECT_LT(address_space_bytes(), mapped + kMiB) << "something was forgotten";
      }
    }
  }
  EXPECT_GT(failures, 0u) << "the injection never reached the program";
}

TEST_F(HugeCache, IsGivenUpBeforeMemoryIsRefused) {
  give_back(allocate(64 * kMiB));
  ASSERT_EQ(kept().bytes, 64 * kMiB);
  kernel_.fail_call(0, true);
  EXPECT_EQ(hakmem_calloc(1, 64 * kMiB), nullptr);
  kernel_.fail_none();
  void *zeroed = nullptr;
  {
    const LittleAddressSpace tight(8 * kMiB);
    zeroed = hakmem_calloc(1, 60 * kMiB);
  }
  EXPECT_NE(zeroed, nullptr);
  EXPECT_EQ(kept().bytes, 0u);
  hakmem_free(zeroed);
}

TEST_F(HugeCache, IsGivenUpBeforeABlockIsCopied) {
  char *block = allocate(16 * kMiB);
  const HugeBlock *record = locate(block).huge;
  give_back(allocate(64 * kMiB));
  void *grown = nullptr;
  {
    const LittleAddressSpace tight(8 * kMiB);
    grown = hakmem_realloc(block, 40 * kMiB);
  }
  ASSERT_NE(grown, nullptr);
  std::erase(live_, block);
  live_.push_back(grown);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(locate(grown).huge, record) << "copied, not moved";
}

TEST_F(HugeCache, AForkedChildHasItToo) {
  char *stays = allocate(16 * kMiB);
  give_back(allocate(20 * kMiB));
  const pid_t child = fork();
  if (child == 0) {
    auto *block = static_cast<char *>(hakmem_malloc(20 * kMiB));
    memset(block, 'c', 20 * kMiB);
    hakmem_free(stays);
    hakmem_free(block);
    hakmem_purge(HAKMEM_PURGE_ALL);
    _exit(huge_blocks::totals().kept.bytes == 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(stays[16 * kMiB - 1], 'x');
  EXPECT_EQ(kept().bytes, 20 * kMiB);
}

TEST_F(HugeCache, ThreadsShareIt) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (unsigned i = 0; i < 200; ++i) {
        const size_t bytes = (5 + (t * 7 + i * 3) % 20) * kMiB;
        auto *block = static_cast<unsigned char *>(hakmem_malloc(bytes));
        ASSERT_NE(block, nullptr);
        block[0] = block[bytes - 1] = static_cast<unsigned char>(t * 50 + i % 50);
        ASSERT_EQ(block[0], block[bytes - 1]);
        ASSERT_EQ(block[0], t * 50 + i % 50);
        hakmem_free(block);
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(live_bytes(), 0u);
}

}  // namespace
}  // namespace hakmem
