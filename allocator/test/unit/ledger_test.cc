// ledger_test.cc - memory is planted, and the ledger must find it, to the byte.
#include "observe/ledger.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cache/heap.h"
#include "hakmem/hakmem.h"
#include "slab/slab_pool.h"

namespace hakmem::observe {
namespace {

constexpr size_t kPage = kOsPageBytes;
constexpr int64_t kMostResidual = 64 * 1024;

// What has changed since the object was made.
class Change {
 public:
  Change() : before_(take_ledger()) {}
  void look() { now_ = take_ledger(); }
  int64_t of(Owner owner) const { return static_cast<int64_t>(now_.of(owner) - before_.of(owner)); }
  const Ledger &now() const { return now_; }

 private:
  Ledger before_, now_{};
};

class LedgerTest : public testing::Test {
 protected:
  // Pages must go only when a test says so; and all are gone before.
  void SetUp() override {
    ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "3600000"), 0);
    hakmem_purge(HAKMEM_PURGE_ALL);
    const Ledger ledger = take_ledger();
    if (ledger.error != nullptr) GTEST_SKIP() << ledger.error;
  }

  static void *touched(size_t bytes) {
    void *block = hakmem_malloc(bytes);
    memset(block, 1, bytes);
    return block;
  }
};

TEST_F(LedgerTest, LiveAndCachedBlocksAreToldApart) {
  constexpr size_t kBlocks = 10, kFreed = 5;
  Change change;
  std::vector<void *> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(touched(kPage));
  change.look();
  EXPECT_EQ(change.of(Owner::kLiveBlocks), int64_t{kBlocks * kPage});
  EXPECT_EQ(change.of(Owner::kThreadCaches), 0);
  for (size_t i = 0; i < kFreed; ++i) hakmem_free(blocks[i]);
  change.look();
  EXPECT_EQ(change.of(Owner::kLiveBlocks), int64_t{(kBlocks - kFreed) * kPage});
  EXPECT_EQ(change.of(Owner::kThreadCaches), int64_t{kFreed * kPage});
  for (size_t i = kFreed; i < kBlocks; ++i) hakmem_free(blocks[i]);
}

TEST_F(LedgerTest, APageThatIsNotResidentIsNobodys) {
  void *block = touched(4 * kPage);
  Change change;
  madvise(static_cast<char *>(block) + kPage, 2 * kPage, MADV_DONTNEED);
  change.look();
  EXPECT_EQ(change.of(Owner::kLiveBlocks), -int64_t{2 * kPage});
  hakmem_free(block);
}

TEST_F(LedgerTest, AReadOfUntouchedMemoryIsNotResident) {
  // It maps the kernel's page of zeros, which Rss leaves out.
  auto *block = static_cast<volatile char *>(hakmem_malloc(8 * kMiB));
  Change change;
  EXPECT_EQ(block[0] + block[kPage], 0);
  change.look();
  EXPECT_EQ(change.of(Owner::kHugeBlocks), 0);
  hakmem_free(const_cast<char *>(block));
}

TEST_F(LedgerTest, FreeBytesBesideALiveBlockAreSlack) {
  // Two blocks a page.
  void *const one = touched(kPage / 2), *const two = touched(kPage / 2);
  ASSERT_EQ(align_down(address_of(one), kPage), align_down(address_of(two), kPage));
  Change change;
  hakmem_free(two);
  hakmem_purge(HAKMEM_PURGE_THREAD);
  change.look();
  EXPECT_EQ(change.of(Owner::kLiveBlocks), -int64_t{kPage / 2});
  EXPECT_EQ(change.of(Owner::kSlack), int64_t{kPage / 2});
  hakmem_free(one);
}

TEST_F(LedgerTest, APageWithoutABlockInUseIsAFreePageOfItsSlab) {
  std::vector<void *> blocks;
  for (int i = 0; i < 6; ++i) blocks.push_back(touched(5 * kPage / 4));  // some share pages
  Change change;
  for (int i = 1; i < 6; ++i) hakmem_free(blocks[static_cast<size_t>(i)]);
  hakmem_purge(HAKMEM_PURGE_THREAD);
  change.look();
  // 30720 bytes; the first block has a page and a quarter, whose other three quarters it pins.
  EXPECT_EQ(change.of(Owner::kLiveBlocks), -int64_t{5 * 5 * kPage / 4});
  EXPECT_EQ(change.of(Owner::kSlack) + change.of(Owner::kFreeRuns) + change.of(Owner::kNeverUsed),
            int64_t{5 * 5 * kPage / 4});
  EXPECT_EQ(change.of(Owner::kSlack), int64_t{3 * kPage / 4});
  hakmem_free(blocks[0]);
}

TEST_F(LedgerTest, WhatNoBlockHasUsedIsKnown) {
  auto *block = static_cast<char *>(touched(16 * kKiB));
  Change change;
  block[8 * 16 * kKiB] = 1;  // far behind what is carved, in the same slab
  change.look();
  EXPECT_EQ(change.of(Owner::kNeverUsed), int64_t{kPage});
  EXPECT_EQ(change.of(Owner::kLiveBlocks), 0);
  hakmem_free(block);
}

TEST_F(LedgerTest, AFullMagazineInTheDepotIsInTransfer) {
  constexpr size_t kBytes = 6 * kKiB;
  const size_t room = magazine_blocks(class_of(kBytes));
  std::vector<void *> blocks;
  for (size_t i = 0; i <= room; ++i) blocks.push_back(touched(kBytes));
  hakmem_purge(HAKMEM_PURGE_THREAD);  // the magazine is empty
  Change change;
  for (void *block : blocks) hakmem_free(block);
  change.look();
  EXPECT_EQ(change.of(Owner::kDepotTransfer), static_cast<int64_t>(room * kBytes));
  EXPECT_EQ(change.of(Owner::kThreadCaches), int64_t{kBytes});
  EXPECT_EQ(change.of(Owner::kLiveBlocks), -static_cast<int64_t>((room + 1) * kBytes));
}

TEST_F(LedgerTest, WhatAnotherThreadFreedWaitsInTheInbox) {
  constexpr size_t kBlocks = 8;
  std::vector<void *> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(touched(2 * kPage));
  Change change;
  std::thread([&] {
    hakmem_free(hakmem_malloc(2 * kPage + 1));  // a thread that only frees has no heap at first
    change = Change();
    for (void *block : blocks) hakmem_free(block);
    change.look();
    EXPECT_EQ(change.of(Owner::kDepotTransfer), int64_t{kBlocks * 2 * kPage})
        << "not gone home yet";
  }).join();
  change.look();
  EXPECT_EQ(change.of(Owner::kDepotTransfer), int64_t{kBlocks * 2 * kPage});
  EXPECT_EQ(change.of(Owner::kLiveBlocks), -int64_t{kBlocks * 2 * kPage});
}

TEST_F(LedgerTest, AnEmptySlabIsKeptWarm) {
  const SizeClass c = class_of(3 * kPage);
  void *blocks[2] = {};
  ASSERT_EQ(t_heap->pool.take_new(c, blocks + 2, 2), 2u);
  for (void *block : blocks) memset(block, 1, 3 * kPage);
  Change change;
  t_heap->pool.put(c, blocks, 2);
  change.look();
  EXPECT_EQ(change.of(Owner::kWarmEmptySlabs), int64_t{6 * kPage});
  EXPECT_EQ(change.of(Owner::kLiveBlocks), -int64_t{6 * kPage});
  t_heap->pool.release_empty_slabs();
  change.look();
  EXPECT_EQ(change.of(Owner::kWarmEmptySlabs), 0);
  EXPECT_EQ(change.of(Owner::kFreeRuns), int64_t{6 * kPage});
}

TEST_F(LedgerTest, ALargeBlockBecomesAFreeRunAndThenNothing) {
  Change change;
  void *block = touched(kMiB);
  change.look();
  EXPECT_EQ(change.of(Owner::kLiveBlocks), int64_t{kMiB});
  hakmem_free(block);
  change.look();
  EXPECT_EQ(change.of(Owner::kLiveBlocks), 0);
  EXPECT_EQ(change.of(Owner::kFreeRuns), int64_t{kMiB});
  hakmem_purge(HAKMEM_PURGE_ALL);
  change.look();
  EXPECT_EQ(change.of(Owner::kFreeRuns), 0);
}

TEST_F(LedgerTest, AHugeBlockCountsAsFarAsItIsTouched) {
  hakmem_purge(HAKMEM_PURGE_ALL);
  Change change;
  auto *block = static_cast<char *>(hakmem_malloc(8 * kMiB));
  block[0] = block[5 * kMiB] = 1;
  change.look();
  EXPECT_EQ(change.of(Owner::kHugeBlocks), int64_t{2 * kPage});
  EXPECT_EQ(change.now().blocks_held_bytes % kPage, 0u);
  hakmem_free(block);
  change.look();
  EXPECT_EQ(change.of(Owner::kHugeBlocks), 0);
  EXPECT_EQ(change.of(Owner::kFreeRuns), int64_t{2 * kPage}) << "kept";
  hakmem_purge(HAKMEM_PURGE_ALL);
  change.look();
  EXPECT_EQ(change.of(Owner::kFreeRuns), 0);
}

TEST_F(LedgerTest, TheProgramsOwnMappingsAreOther) {
  Change change;
  void *own = mmap(nullptr, kMiB, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(own, MAP_FAILED);
  change.look();
  EXPECT_GE(change.of(Owner::kOtherAnonymous), int64_t{kMiB});
  // A sanitizer's shadow of it is the program's own, too.
  EXPECT_LT(change.of(Owner::kOtherAnonymous), int64_t{kMiB} + int64_t{kMiB} / 8);
  munmap(own, kMiB);
}

TEST_F(LedgerTest, EveryByteHasOneOwnerWhileThreadsHoldBlocks) {
  std::vector<std::vector<void *>> held(4);
  std::vector<std::thread> threads;
  for (auto &blocks : held) {
    threads.emplace_back([&blocks] {
      for (size_t i = 0; i < 20'000; ++i) {
        blocks.push_back(touched(16 + i * 37 % 3000));
        if (i % 3 == 0) hakmem_free(blocks[i / 2]), blocks[i / 2] = hakmem_malloc(16);
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  const Ledger ledger = take_ledger();
  EXPECT_LE(std::abs(ledger.residual_bytes()), kMostResidual);
  EXPECT_GT(ledger.of(Owner::kLiveBlocks), 50 * kMiB);
  for (auto &blocks : held) {
    for (void *block : blocks) hakmem_free(block);
  }
  EXPECT_EQ(take_ledger().blocks_held_bytes, 0u);
}

TEST_F(LedgerTest, TheJsonNamesEveryOwner) {
  char text[8192];
  const size_t length = hakmem_ledger_json(text, sizeof text);
  ASSERT_LT(length, sizeof text);
  EXPECT_EQ(text[length - 1], '}');
  for (const OwnerRow &row : kOwners) {
    EXPECT_NE(strstr(text, ("{\"name\":\"" + std::string(row.name) + "\",\"bytes\":").c_str()),
              nullptr)
        << row.name;
  }
  char cut[16];
  EXPECT_EQ(hakmem_ledger_json(cut, sizeof cut) > sizeof cut, true);
  EXPECT_EQ(strlen(cut), sizeof cut - 1);
}

}  // namespace
}  // namespace hakmem::observe
