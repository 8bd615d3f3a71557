// huge_cache_test.cc - which freed huge block serves which request, how much is kept, and for how
// long; the clock is injected.
#include "superslab/huge_cache.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/units.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "slab/locate.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

size_t resident_bytes(const void *base, size_t bytes) {
  std::vector<unsigned char> pages(bytes / kOsPageBytes);
  if (mincore(const_cast<void *>(base), bytes, pages.data()) != 0) return 0;
  size_t resident = 0;
  for (const unsigned char page : pages) resident += (page & 1) * kOsPageBytes;
  return resident;
}

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

class HugeCache : public testing::Test {
 protected:
  void SetUp() override {
    hakmem_purge(HAKMEM_PURGE_ALL);
    ASSERT_EQ(huge_blocks::totals().blocks, 0u) << "another test left blocks";
    pass_ages(3);  // what was live then counts no more
  }
  void TearDown() override {
    kernel_.fail_none();
    for (void *block : live_) hakmem_free(block);
    hakmem_configure("HAKMEM_HUGE_CACHE_PERCENT", "100");
    hakmem_purge(HAKMEM_PURGE_ALL);
    EXPECT_EQ(huge_blocks::totals().blocks, 0u);
    EXPECT_EQ(kept().blocks, 0u);
    EXPECT_EQ(kept().bytes, 0u);
  }
  // All of it is written.
  char *allocate(size_t bytes) {
    auto *block = static_cast<char *>(hakmem_malloc(bytes));
    EXPECT_NE(block, nullptr);
    memset(block, 'x', bytes);
    live_.push_back(block);
    return block;
  }
  void give_back(void *block) {
    std::erase(live_, block);
    hakmem_free(block);
  }
  void pass_ages(int ages) {
    for (int i = 0; i < ages; ++i) {
      kernel_.advance_ms(130);
      page_heap::tick();
    }
  }
  static huge_cache::Totals kept() { return huge_blocks::totals().kept; }
  static size_t live_bytes() { return huge_blocks::totals().mapped_bytes; }

  test::FakeKernel kernel_;
  std::vector<void *> live_;
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
}

TEST_F(HugeCache, MuchMoreThanIsNeededBecomesABlockOfItsOwn) {
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

TEST_F(HugeCache, TooLittleForABlockGoesBack) {
  char *block = allocate(6 * kMiB);
  give_back(block);
  EXPECT_EQ(allocate(4 * kMiB + kOsPageBytes), block);
  EXPECT_EQ(hakmem_usable_size(block), 4 * kMiB + kOsPageBytes);
  EXPECT_EQ(kept().bytes, 0u);
}

// --- blocks put together of kept ones

TEST_F(HugeCache, TheLargestGrowsIfNoneIsLargeEnoughAndTakesInTheOthers) {
  char *small = allocate(8 * kMiB);
  char *large = allocate(24 * kMiB);
  char *odd = allocate(4 * kMiB + kOsPageBytes);
  for (char *block : {small, large, odd}) give_back(block);
  const uint64_t grown = kept().grown;
  auto *block = static_cast<char *>(hakmem_malloc(60 * kMiB));
  live_.push_back(block);
  EXPECT_EQ(kept().grown, grown + 1);
  EXPECT_EQ(kept().blocks, 0u);
  EXPECT_EQ(resident_bytes(block, 60 * kMiB), 36 * kMiB) << "of odd ones whole page tables";
  EXPECT_EQ(resident_bytes(block, 36 * kMiB), 36 * kMiB);
  EXPECT_EQ(hakmem_usable_size(block), 60 * kMiB);
  EXPECT_EQ(locate(block).what, Location::What::kHuge);
  EXPECT_NE(locate(block + 60 * kMiB - 1).what, Location::What::kForeign);
  // Where it was not filled it is a mapping of its own.
  memset(block, 'y', 60 * kMiB);
  give_back(block);
  for (const size_t bytes : {26 * kMiB, 34 * kMiB}) {
    block = static_cast<char *>(hakmem_malloc(bytes));
    live_.push_back(block);
    EXPECT_EQ(resident_bytes(block, bytes), bytes);
  }
}

TEST_F(HugeCache, OnlyWhatIsLackingIsTaken) {
  char *large = allocate(24 * kMiB);
  char *other = allocate(16 * kMiB);
  give_back(large);
  give_back(other);
  allocate(30 * kMiB);
  EXPECT_EQ(kept().blocks, 1u);
  EXPECT_EQ(kept().bytes, 10 * kMiB);
  EXPECT_EQ(allocate(10 * kMiB), other) << "its tail was taken";
}

// Of four blocks, whose pages lie in several mappings.
class PutTogether : public HugeCache {
 protected:
  void SetUp() override {
    HugeCache::SetUp();
    std::vector<char *> parts;
    for (int i = 0; i < 4; ++i) parts.push_back(allocate(16 * kMiB));
    for (char *part : parts) give_back(part);
    block_ = static_cast<char *>(hakmem_malloc(64 * kMiB));
    live_.push_back(block_);
    ASSERT_EQ(resident_bytes(block_, 64 * kMiB), 64 * kMiB);
    ASSERT_EQ(kept().blocks, 0u);
    for (size_t i = 0; i < 64; ++i) block_[i * kMiB] = static_cast<char>(i);
  }
  static void expect_content(const char *block, size_t mib) {
    for (size_t i = 0; i < mib; ++i) ASSERT_EQ(block[i * kMiB], static_cast<char>(i));
  }
  char *block_ = nullptr;
};

TEST_F(PutTogether, IsKeptAndServesAsAWhole) {
  give_back(block_);
  EXPECT_EQ(kept().blocks, 1u);
  EXPECT_EQ(hakmem_malloc(64 * kMiB), block_);
  live_.push_back(block_);
  EXPECT_EQ(resident_bytes(block_, 64 * kMiB), 64 * kMiB);
}

TEST_F(PutTogether, ComesApartAnywhere) {
  give_back(block_);
  char *parts[] = {allocate(40 * kMiB), allocate(6 * kMiB), allocate(18 * kMiB)};
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_EQ(resident_bytes(parts[0], 40 * kMiB), 40 * kMiB);
  EXPECT_EQ(resident_bytes(parts[1], 6 * kMiB), 6 * kMiB);
  EXPECT_EQ(resident_bytes(parts[2], 18 * kMiB), 18 * kMiB);
  for (char *part : parts) give_back(part);
  char *again = allocate(64 * kMiB);
  EXPECT_EQ(resident_bytes(again, 64 * kMiB), 64 * kMiB);
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(PutTogether, KeepsItsContentWhenItGrows) {
  auto *grown = static_cast<char *>(hakmem_realloc(block_, 100 * kMiB));
  ASSERT_NE(grown, nullptr);
  std::erase(live_, block_);
  live_.push_back(grown);
  expect_content(grown, 64);
  memset(grown, 'y', 100 * kMiB);
}

TEST_F(PutTogether, ShrinksAcrossSeamsAndGrowsInPlace) {
  ASSERT_EQ(hakmem_realloc(block_, 22 * kMiB), block_);
  EXPECT_EQ(locate(block_ + 32 * kMiB).what, Location::What::kForeign);
  ASSERT_EQ(hakmem_realloc(block_, 30 * kMiB), block_) << "the address space behind it is free";
  expect_content(block_, 22);
  EXPECT_EQ(resident_bytes(block_, 30 * kMiB), 22 * kMiB);
  memset(block_, 'y', 30 * kMiB);
}

TEST_F(PutTogether, HasALimitedNumberOfSeams) {
  std::vector<char *> parts;
  for (int i = 0; i < 40; ++i) parts.push_back(allocate(6 * kMiB));
  for (char *part : parts) give_back(part);
  auto *block = static_cast<char *>(hakmem_malloc(240 * kMiB));
  live_.push_back(block);
  EXPECT_EQ(resident_bytes(block, 240 * kMiB), Seams::kMost * 6 * kMiB);
  memset(block, 'y', 240 * kMiB);
  give_back(block);
  allocate(90 * kMiB);
  allocate(150 * kMiB);
  EXPECT_EQ(kept().bytes, 0u);
}

TEST_F(PutTogether, IsWholeInAForkedChild) {
  const pid_t child = fork();
  if (child == 0) {
    auto *grown = static_cast<char *>(hakmem_realloc(block_, 100 * kMiB));
    expect_content(grown, 64);
    hakmem_free(grown);
    _exit(HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  expect_content(block_, 64);
}

// The program's madvise makes several mappings of what hakmem mapped as one.
TEST_F(HugeCache, WhatTheProgramDividedGoesBackWhereItMustMove) {
  for (const bool lose_targets : {false, true}) {
    char *blocks[] = {allocate(20 * kMiB), allocate(16 * kMiB), allocate(18 * kMiB)};
    ASSERT_EQ(madvise(blocks[2] + 4 * kMiB, kOsPageBytes, MADV_DONTFORK), 0);
    for (char *block : blocks) give_back(block);
    kernel_.lose_targets(lose_targets);
    auto *block = static_cast<char *>(hakmem_malloc(54 * kMiB));
    live_.push_back(block);
    EXPECT_EQ(resident_bytes(block, 54 * kMiB), lose_targets ? 0 : 20 * kMiB);
    memset(block, 'y', 54 * kMiB);
    EXPECT_EQ(kernel_.unmap_lost_targets(), 0u) << "another thread's memory was unmapped";
    give_back(block);
    hakmem_purge(HAKMEM_PURGE_ALL);
  }
}

// Every page of every block holds its block's number as long as it lives, whatever is put together
// and comes apart meanwhile.
TEST_F(HugeCache, PagesBelongToOneBlock) {
  struct Block {
    uint32_t *words;
    size_t words_of_pages;
    uint32_t number;
  };
  constexpr size_t kWordsAPage = kOsPageBytes / sizeof(uint32_t);
  std::vector<Block> blocks;
  std::mt19937 random(1);
  const auto write = [](const Block &block) {
    for (size_t i = 0; i < block.words_of_pages; i += kWordsAPage) block.words[i] = block.number;
  };
  const auto check = [](const Block &block) {
    for (size_t i = 0; i < block.words_of_pages; i += kWordsAPage) {
      ASSERT_EQ(block.words[i], block.number);
    }
  };
  uint32_t number = 0;
  for (int step = 0; step < 1000; ++step) {
    const size_t bytes = (random() % 60 + 5) * kMiB - random() % 3 * 100'000;
    if (blocks.size() > 6 || (!blocks.empty() && random() % 2 == 0)) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      Block &block = blocks.back();
      check(block);
      if (random() % 4 == 0) {
        const size_t old = block.words_of_pages;
        block.words = static_cast<uint32_t *>(hakmem_realloc(block.words, bytes));
        ASSERT_NE(block.words, nullptr);
        block.words_of_pages = std::min(old, bytes / sizeof(uint32_t));
        check(block);
        block.words_of_pages = bytes / sizeof(uint32_t);
        write(block);
      } else {
        hakmem_free(block.words);
        blocks.pop_back();
      }
    } else {
      void *memory = random() % 8 == 0 ? hakmem_calloc(1, bytes) : hakmem_malloc(bytes);
      ASSERT_NE(memory, nullptr);
      blocks.push_back({static_cast<uint32_t *>(memory), bytes / sizeof(uint32_t), ++number});
      write(blocks.back());
    }
    if (step % 100 == 99) pass_ages(1);
  }
  EXPECT_GT(kept().grown, 30u);
  for (const Block &block : blocks) {
    check(block);
    hakmem_free(block.words);
  }
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
  kernel_.advance_ms(100);
  give_back(allocate(16 * kMiB));
  EXPECT_TRUE(page_heap::backlog());
  pass_ages(1);  // an age began meanwhile, but this was no whole one
  EXPECT_EQ(kept().bytes, 16 * kMiB) << "given back before its time";
  pass_ages(3);
  EXPECT_EQ(kept().bytes, 0u);
  EXPECT_FALSE(page_heap::backlog());
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
