// purge_test.cc - free memory goes back when it has aged, and not before; the clock is injected.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "cache/heap.h"
#include "config/config.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "superslab/page_heap.h"
#include "superslab/release_policy.h"

namespace hakmem {
namespace {

constexpr size_t kBlockBytes = 128 * kKiB;

std::vector<void *> burst(size_t bytes) {
  std::vector<void *> blocks;
  for (size_t got = 0; got < bytes; got += kBlockBytes) {
    blocks.push_back(hakmem_malloc(kBlockBytes));
    static_cast<volatile char *>(blocks.back())[0] = 1;
  }
  return blocks;
}

// That has not gone back yet, a few runs that the thread keeps included.
size_t free_touched_bytes() {
  return page_heap::totals().free_touched_bytes + t_heap->recent.bytes();
}

TEST(Purge, AgedSlabsGoBackAndFreshOnesStay) {
  hakmem_purge(HAKMEM_PURGE_ALL);
  test::FakeKernel kernel;
  test::pass_ms(&kernel, 10'000);
  for (void *block : burst(16 * kMiB)) hakmem_free(block);
  const uint64_t discards = kernel.discards();
  test::pass_ms(&kernel, 100);  // less than an age (125 ms)
  EXPECT_EQ(kernel.discards(), discards) << "given back before its time";
  EXPECT_GE(free_touched_bytes(), 16 * kMiB);
  test::pass_ms(&kernel, 400);
  EXPECT_GT(kernel.discards(), discards);
  EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u);
}

// After a burst of 1 GiB, two seconds of slow calls are enough.
TEST(Purge, LargeBurstIsGoneInTwoSeconds) {
  test::FakeKernel kernel;
  std::vector<void *> blocks;
  for (size_t i = 0; i < kMiB * 1024 / kBlockBytes; ++i)
    blocks.push_back(hakmem_malloc(kBlockBytes));
  for (void *block : blocks) hakmem_free(block);
  test::pass_ms(&kernel, 2000);
  EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u);
}

// While a burst goes back by parts, what is freed meanwhile stays for a whole age all the same.
TEST(Purge, WhatIsFreedWhileABurstGoesBackHasItsTime) {
  test::FakeKernel kernel;
  hakmem_purge(HAKMEM_PURGE_ALL);
  test::pass_ms(&kernel, 1000);
  std::vector<void *> blocks = burst(kMiB * 1024);
  // In the newest superslab, which goes back first, and too large for the thread to keep it.
  void *late = hakmem_malloc(kMiB);
  memset(late, 1, kMiB);
  for (void *block : blocks) hakmem_free(block);
  const uint64_t discards = kernel.discards();
  while (kernel.discards() == discards) test::pass_ms(&kernel, 10);
  test::pass_ms(&kernel, 90);
  hakmem_free(late);
  page_heap::totals();  // merges what was freed last
  test::pass_to_next_age(&kernel);
  test::pass_ms(&kernel, 110);
  EXPECT_TRUE(page_heap::backlog()) << "there is no burst any more";
  unsigned char page = 0;
  ASSERT_EQ(mincore(late, kOsPageBytes, &page), 0);
  EXPECT_EQ(page & 1, 1) << "given back before its time";
  test::pass_to_next_age(&kernel);
  test::pass_ms(&kernel, 110);
  const bool mapped = mincore(late, kOsPageBytes, &page) == 0;
  EXPECT_FALSE(mapped && (page & 1) != 0);
}

TEST(Purge, AShorterDelayHoldsAtOnce) {
  test::FakeKernel kernel;
  ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "3600000"), 0);
  hakmem_purge(HAKMEM_PURGE_ALL);
  test::pass_ms(&kernel, 1000);
  for (void *block : burst(16 * kMiB)) hakmem_free(block);
  test::pass_ms(&kernel, 5000);
  EXPECT_GE(free_touched_bytes(), 16 * kMiB);
  ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "250"), 0);
  test::pass_ms(&kernel, 500);
  EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u);
}

// Else khugepaged would make huge pages again of what is in use and of the free slabs beside it.
TEST(Purge, SlabsThatWentBackStayAway) {
  test::FakeKernel kernel;
  hakmem_purge(HAKMEM_PURGE_ALL);
  ASSERT_EQ(hakmem_configure("HAKMEM_HUGE_PAGE_THRESHOLD_MB", "0"), 0);
  const uint64_t wanted = kernel.advice().wanted;
  std::vector<void *> blocks;
  while (kernel.advice().wanted < wanted + 2) blocks.push_back(hakmem_malloc(kBlockBytes));
  ASSERT_EQ(hakmem_configure("HAKMEM_HUGE_PAGE_THRESHOLD_MB", "64"), 0);
  const uint64_t refused = kernel.advice().refused;
  // Of the superslab that is full.
  for (size_t i = 0; i < 32; ++i) {
    hakmem_free(blocks[blocks.size() - 2 - i * 4]);
    blocks[blocks.size() - 2 - i * 4] = nullptr;
  }
  page_heap::totals();
  test::pass_ms(&kernel, 1000);
  EXPECT_GT(kernel.advice().refused, refused);
  for (void *block : blocks) hakmem_free(block);
}

TEST(Purge, SlabsInUseAgainAreNotGivenBack) {
  test::FakeKernel kernel;
  for (int round = 0; round < 20; ++round) {
    void *block = hakmem_malloc(kBlockBytes);
    static_cast<char *>(block)[kBlockBytes - 1] = 77;
    test::pass_ms(&kernel, 200);
    EXPECT_EQ(static_cast<char *>(block)[kBlockBytes - 1], 77);
    hakmem_free(block);
  }
}

// What an emptied superslab's pages do in each mode of memory-lean, and without it.
class Lean : public testing::Test {
 protected:
  void set(const char *lean, const char *mode) {
    ASSERT_EQ(hakmem_configure("HAKMEM_SS_MEM_LEAN", lean), 0);
    ASSERT_EQ(hakmem_configure("HAKMEM_SS_MEM_LEAN_MODE", mode), 0);
  }
  // Of superslabs that nothing else uses. Returns the calls of the kernel to give pages back.
  uint64_t empty_superslabs() {
    const uint64_t before = kernel_.discards();
    std::vector<void *> blocks = burst(128 * kMiB);
    for (void *block : blocks) hakmem_free(block);
    return kernel_.discards() - before;
  }
  void age() { test::pass_ms(&kernel_, 1000); }
  void TearDown() override {
    set("1", "0");
    hakmem_purge(HAKMEM_PURGE_ALL);
  }
  test::FakeKernel kernel_;
};

TEST_F(Lean, KeepGivesPagesBackWhenTheyAgeOnly) {
  for (const char *lean : {"0", "1"}) {
    set(lean, "0");
    hakmem_purge(HAKMEM_PURGE_ALL);
    EXPECT_EQ(empty_superslabs(), 0u);
    EXPECT_GE(free_touched_bytes(), 128 * kMiB);
    age();
    EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u) << "lean " << lean;
  }
}

TEST_F(Lean, DontNeedGivesPagesBackAtOnce) {
  set("1", "2");
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_GE(empty_superslabs(), 3u);
  EXPECT_LE(page_heap::totals().free_touched_bytes, 64 * kMiB);
  EXPECT_EQ(page_heap::totals().offered_bytes, 0u);
}

TEST_F(Lean, PurgeTellsOfSuperslabsThatItEmpties) {
  set("1", "2");
  hakmem_purge(HAKMEM_PURGE_ALL);
  std::vector<void *> blocks;
  for (size_t i = 0; i < 128 * kKiB; ++i) {
    blocks.push_back(hakmem_malloc(1024));
    static_cast<volatile char *>(blocks.back())[0] = 1;
  }
  for (void *block : blocks) hakmem_free(block);
  const uint64_t before = release::totals().discarded_bytes;
  const size_t told = hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(told, release::totals().discarded_bytes - before);
  EXPECT_GE(told, 8 * kMiB) << "the depot's";
}

TEST_F(Lean, FreeOffersPagesOnce) {
  set("1", "1");
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_GE(empty_superslabs(), 3u);
  age();
  const page_heap::Totals after = page_heap::totals();
  EXPECT_GE(after.offered_bytes, 128 * kMiB);
  EXPECT_EQ(after.free_touched_bytes, after.offered_bytes);
  EXPECT_FALSE(page_heap::backlog()) << "what the kernel may take waits no more";
  const uint64_t discards = kernel_.discards();
  age();
  EXPECT_EQ(kernel_.discards(), discards) << "offered again";
  // Used again, they are the program's; freed and aged, they are offered anew.
  void *block = hakmem_malloc(kBlockBytes);
  EXPECT_LT(page_heap::totals().offered_bytes, after.offered_bytes);
  hakmem_free(block);
  age();
  EXPECT_GT(kernel_.discards(), discards);
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(page_heap::totals().offered_bytes, 0u) << "on demand they go now";
}

TEST(Purge, LeavesNothingThatWaits) {
  test::FakeKernel kernel;
  for (void *block : burst(16 * kMiB)) hakmem_free(block);
  page_heap::totals();  // merges what was freed last
  EXPECT_TRUE(page_heap::backlog());
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_FALSE(page_heap::backlog()) << "slow calls go on looking at the clock";
}

TEST(Purge, DeniedDiscardChangesNothing) {
  test::FakeKernel kernel;
  kernel.deny_discard(true);
  for (void *block : burst(8 * kMiB)) hakmem_free(block);
  test::pass_ms(&kernel, 4000);
  EXPECT_GE(free_touched_bytes(), 8 * kMiB);
  EXPECT_FALSE(page_heap::backlog()) << "slow calls go on looking at the clock";
  void *block = hakmem_calloc(1, kBlockBytes);
  for (size_t i = 0; i < kBlockBytes; ++i) ASSERT_EQ(static_cast<char *>(block)[i], 0);
  hakmem_free(block);
}

}  // namespace
}  // namespace hakmem
