// page_heap_test.cc - runs of slabs: no overlap, merging, alignment, in-place growth.
#include "superslab/page_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "fake_kernel.h"
#include "pass_time.h"

namespace hakmem {
namespace {

struct Taken {
  Slab *slab;
  size_t slabs;
};

TEST(PageHeap, RunsNeverOverlapAndAllComeBack) {
  std::mt19937 rng(3);
  std::map<uintptr_t, Taken> taken;  // by address
  const auto used_bytes = [] {
    const page_heap::Totals totals = page_heap::totals();
    return totals.mapped_bytes - totals.metadata_bytes - totals.free_bytes;
  };
  page_heap::purge_all();
  const uint64_t used_before = used_bytes(), superslabs_before = page_heap::totals().superslabs;
  const auto check_and_add = [&](Slab *slab, size_t slabs, size_t align_slabs) {
    const uintptr_t begin = slab_address(slab);
    ASSERT_EQ(begin % (align_slabs * kSlabBytes), 0u);
    const auto next = taken.lower_bound(begin);
    if (next != taken.end()) {
      ASSERT_LE(begin + slabs * kSlabBytes, next->first);
    }
    if (next != taken.begin()) {
      const auto &before = *std::prev(next);
      ASSERT_LE(before.first + before.second.slabs * kSlabBytes, begin);
    }
    taken[begin] = {slab, slabs};
  };
  for (int step = 0; step < 20'000; ++step) {
    if (taken.size() < 300 && rng() % 5 < 3) {
      const size_t slabs = rng() % 4 == 0 ? 1 + rng() % page_heap::kMaxRunSlabs : 1 + rng() % 4;
      const size_t align = size_t{1} << rng() % 4;
      const page_heap::Run run = page_heap::allocate_large(slabs, align);
      ASSERT_NE(run.slab, nullptr);
      check_and_add(run.slab, slabs, align);
    } else if (!taken.empty()) {
      auto it = std::next(taken.begin(), static_cast<long>(rng() % taken.size()));
      const size_t wanted = 1 + rng() % page_heap::kMaxRunSlabs;
      if (rng() % 3 == 0 && page_heap::resize_large(it->second.slab, wanted)) {
        const Taken resized{it->second.slab, wanted};
        taken.erase(it);
        check_and_add(resized.slab, resized.slabs, 1);
      } else {
        ASSERT_TRUE(page_heap::free_large(it->second.slab));
        taken.erase(it);
      }
    }
  }
  for (const auto &[address, run] : taken) ASSERT_TRUE(page_heap::free_large(run.slab));
  EXPECT_EQ(used_bytes(), used_before) << "a run was lost";
  page_heap::purge_all();
  EXPECT_EQ(page_heap::totals().superslabs, superslabs_before)
      << "free runs did not merge to whole superslabs";
}

TEST(PageHeap, FreedTwiceIsNoticed) {
  const page_heap::Run run = page_heap::allocate_large(3, 1);
  ASSERT_NE(run.slab, nullptr);
  EXPECT_TRUE(page_heap::free_large(run.slab));
  EXPECT_FALSE(page_heap::free_large(run.slab));
}

class RecentRun : public testing::Test {
 protected:
  static Slab *take(size_t slabs) {
    const page_heap::Run run = page_heap::allocate_large(slabs, 1);
    EXPECT_NE(run.slab, nullptr);
    return run.slab;
  }
  static void put(Slab *slab) { EXPECT_TRUE(page_heap::free_large(slab)); }
};

TEST_F(RecentRun, ComesBackForTheSameSizeWithoutAMerge) {
  Slab *const small = take(1), *const medium = take(4), *const large = take(16);
  put(medium);
  put(large);
  put(small);
  EXPECT_EQ(take(4), medium);
  EXPECT_EQ(take(1), small);
  EXPECT_EQ(take(16), large);
  for (Slab *slab : {small, medium, large}) put(slab);
}

TEST_F(RecentRun, TheNewestComesFirst) {
  Slab *const old_run = take(5), *const new_run = take(5);
  put(old_run);
  put(new_run);
  EXPECT_EQ(take(5), new_run);
  EXPECT_EQ(take(5), old_run);
  put(old_run);
  put(new_run);
}

TEST_F(RecentRun, IsSplitAndMergedForAnotherSize) {
  page_heap::purge_all();
  Slab *const left = take(8), *const right = take(8);
  ASSERT_EQ(right, left + 8) << "an empty page heap lays runs side by side";
  put(left);
  put(right);
  EXPECT_EQ(take(16), left) << "an untouched run was taken instead of these two";
  put(left);
}

TEST_F(RecentRun, IsAnsweredForWhenFreedTwiceOrResized) {
  Slab *const slab = take(6);
  put(slab);
  EXPECT_FALSE(page_heap::free_large(slab));
  EXPECT_FALSE(page_heap::resize_large(slab, 3));
  EXPECT_EQ(take(6), slab);
  EXPECT_TRUE(page_heap::resize_large(slab, 3));
  put(slab);
}

TEST_F(RecentRun, GrowsInPlaceIntoOneBehindIt) {
  page_heap::purge_all();
  Slab *const slab = take(2);
  Slab *const behind = take(2);
  ASSERT_EQ(behind, slab + 2);
  put(behind);
  EXPECT_TRUE(page_heap::resize_large(slab, 4));
  put(slab);
}

TEST_F(RecentRun, AgesAsAllFreeMemoryDoes) {
  test::FakeKernel clock;
  page_heap::purge_all();
  Slab *const kept = take(1), *const run = take(20);
  memset(as_pointer(slab_address(run)), 1, 20 * kSlabBytes);
  put(run);
  const uint64_t before = clock.discards();
  test::pass_ms(&clock, 1000);
  EXPECT_GT(clock.discards(), before);
  put(kept);
}

// As when other threads had as many mappings as it allows, and then a few less.
TEST(PageHeap, ASuperslabThatTheKernelDoesNotTakeBackStaysWhole) {
  test::FakeKernel kernel;
  page_heap::purge_all();
  const page_heap::Run kept = page_heap::allocate_large(1, 1);
  std::vector<Slab *> runs;
  const size_t superslabs = page_heap::totals().superslabs;
  while (page_heap::totals().superslabs < superslabs + 2) {
    runs.push_back(page_heap::allocate_large(page_heap::kMaxRunSlabs, 1).slab);
    ASSERT_NE(runs.back(), nullptr);
  }
  for (Slab *run : runs) ASSERT_TRUE(page_heap::free_large(run));
  kernel.fail_call(0);  // of all that gives its address space back
  page_heap::give_up_address_space();
  kernel.fail_none();
  const size_t left = page_heap::totals().superslabs;
  const page_heap::Run run = page_heap::allocate_large(page_heap::kMaxRunSlabs, 1);
  EXPECT_EQ(page_heap::totals().superslabs, left) << "it has no free slabs any more";
  EXPECT_TRUE(page_heap::free_large(run.slab));
  EXPECT_TRUE(page_heap::free_large(kept.slab));
  page_heap::purge_all();
}

TEST(PageHeap, ZeroedIsToldOnlyOfNeverTouchedMemory) {
  page_heap::purge_all();
  page_heap::Run run = page_heap::allocate_large(2, 1);
  ASSERT_NE(run.slab, nullptr);
  EXPECT_TRUE(run.zeroed);
  auto *bytes = static_cast<unsigned char *>(as_pointer(slab_address(run.slab)));
  memset(bytes, 0xab, 2 * kSlabBytes);
  ASSERT_TRUE(page_heap::free_large(run.slab));
  run = page_heap::allocate_large(2, 1);
  EXPECT_FALSE(run.zeroed);
  ASSERT_TRUE(page_heap::free_large(run.slab));
  page_heap::purge_all();
  run = page_heap::allocate_large(2, 1);
  ASSERT_TRUE(run.zeroed);
  bytes = static_cast<unsigned char *>(as_pointer(slab_address(run.slab)));
  for (size_t i = 0; i < 2 * kSlabBytes; ++i) ASSERT_EQ(bytes[i], 0) << i;
  ASSERT_TRUE(page_heap::free_large(run.slab));
}

}  // namespace
}  // namespace hakmem
