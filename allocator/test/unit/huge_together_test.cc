// huge_together_test.cc - huge blocks that are put together of the pages of kept ones.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "huge_fixture.h"
#include "slab/locate.h"

namespace hakmem {
namespace {

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

TEST_F(PutTogether, IsCopiedToKeptPages) {
  give_back(allocate(16 * kMiB));
  // Whatever lies behind the block, it cannot grow in place.
  void *behind = mmap(block_ + 64 * kMiB, kOsPageBytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  const uint64_t grown = kept().grown;
  auto *copy = static_cast<char *>(hakmem_realloc(block_, 100 * kMiB));
  std::erase(live_, block_);
  live_.push_back(copy);
  if (behind != MAP_FAILED) munmap(behind, kOsPageBytes);
  EXPECT_EQ(kept().grown, grown + 1) << "given back for nothing";
  expect_content(copy, 64);
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
void divide(char *block, size_t at) {
  ASSERT_EQ(madvise(block + at, kOsPageBytes, MADV_DONTFORK), 0);
}

TEST_F(HugeCache, WhatTheProgramDividedGoesBackWhereItMustMove) {
  for (const bool lose_targets : {false, true}) {
    char *blocks[] = {allocate(20 * kMiB), allocate(18 * kMiB)};
    divide(blocks[1], 12 * kMiB);
    for (char *block : blocks) give_back(block);
    kernel_.lose_targets(lose_targets);
    auto *block = static_cast<char *>(hakmem_malloc(30 * kMiB));
    live_.push_back(block);
    EXPECT_EQ(resident_bytes(block, 30 * kMiB), lose_targets ? 0 : 20 * kMiB);
    memset(block, 'y', 30 * kMiB);
    EXPECT_EQ(kernel_.unmap_lost_targets(), 0u) << "another thread's memory was unmapped";
    if (lose_targets) {
      EXPECT_EQ(locate(blocks[0]).what, Location::What::kForeign) << "kept, and found";
    }
    give_back(block);
    hakmem_purge(HAKMEM_PURGE_ALL);
  }
}

TEST_F(HugeCache, ADividedBlockThatIsCutKeepsNothingOfTheTail) {
  char *block = allocate(40 * kMiB);
  divide(block, 34 * kMiB);
  give_back(block);
  EXPECT_EQ(allocate(8 * kMiB), block);
  EXPECT_EQ(kept().bytes, 24 * kMiB) << "untouched memory is kept";
}

TEST_F(HugeCache, WhereTheLargestCannotMoveTheRestIsLeftAlone) {
  give_back(allocate(100 * kMiB));  // so much may be kept
  hakmem_purge(HAKMEM_PURGE_ALL);
  char *blocks[] = {allocate(20 * kMiB), allocate(10 * kMiB)};
  divide(blocks[0], 12 * kMiB);
  for (char *block : blocks) give_back(block);
  live_.push_back(hakmem_malloc(54 * kMiB));
  EXPECT_EQ(kept().bytes, 30 * kMiB);
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

}  // namespace
}  // namespace hakmem
