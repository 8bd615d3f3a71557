// page_heap_test.cc - runs of slabs: no overlap, merging, alignment, in-place growth.
#include "superslab/page_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

namespace hakmem {
namespace {

struct Taken {
  Slab *slab;
  size_t slabs;
};

TEST(PageHeap, RunsNeverOverlapAndAllComeBack) {
  std::mt19937 rng(3);
  std::map<uintptr_t, Taken> taken;  // by address
  const auto total_free = [] { return page_heap::totals().free_bytes; };
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
  const page_heap::Totals totals = page_heap::totals();
  EXPECT_EQ(total_free(), totals.mapped_bytes - totals.metadata_bytes) << "a run was lost";
  page_heap::purge_all();
  EXPECT_EQ(page_heap::totals().superslabs, 0u) << "free runs did not merge to whole superslabs";
}

TEST(PageHeap, FreedTwiceIsNoticed) {
  const page_heap::Run run = page_heap::allocate_large(3, 1);
  ASSERT_NE(run.slab, nullptr);
  EXPECT_TRUE(page_heap::free_large(run.slab));
  EXPECT_FALSE(page_heap::free_large(run.slab));
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
