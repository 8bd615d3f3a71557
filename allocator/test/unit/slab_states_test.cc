// slab_states_test.cc - what the masks say together, against plain loops over single slabs.
#include "superslab/slab_states.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>

namespace hakmem {
namespace {

void set_at_random(SlabMask *mask, std::mt19937 *rng) {
  for (size_t i = 0; i < kSlabsPerSuperslab; ++i) {
    if ((*rng)() % 2 == 0) mask->set(i, 1);
  }
}

bool waits(const Superslab &superslab, size_t i) {
  return superslab.free.test(i) && superslab.touched.test(i) && !superslab.offered.test(i);
}

TEST(SlabStates, WaitingSlabsAreCountedInAnyRange) {
  std::mt19937 rng(11);
  for (int round = 0; round < 20; ++round) {
    const auto superslab = std::make_unique<Superslab>();
    for (SlabMask *mask : {&superslab->free, &superslab->touched, &superslab->offered}) {
      set_at_random(mask, &rng);
    }
    for (int range = 0; range < 200; ++range) {
      const size_t begin = rng() % kSlabsPerSuperslab;
      const size_t end = begin + 1 + rng() % (kSlabsPerSuperslab - begin);
      ptrdiff_t waiting = 0;
      for (size_t i = begin; i < end; ++i) waiting += waits(*superslab, i);
      ASSERT_EQ(slab_states::count_waiting(superslab.get(), begin, end), waiting)
          << "[" << begin << ", " << end << ")";
    }
  }
}

TEST(SlabStates, FreeAndUsedAreEachOthersOpposite) {
  const auto superslab = std::make_unique<Superslab>();
  superslab->set_slab_count(kSlabsPerSuperslab);
  superslab->first_slab = 5;
  slab_states::set_free(superslab.get(), 5, kSlabsPerSuperslab - 5);
  EXPECT_TRUE(slab_states::wholly_free(superslab.get()));
  EXPECT_TRUE(superslab->fresh.test(70)) << "freed of late: does not go back in this age";

  slab_states::set_used(superslab.get(), 60, 20);
  EXPECT_FALSE(slab_states::wholly_free(superslab.get()));
  EXPECT_EQ(superslab->free_slabs, kSlabsPerSuperslab - 5 - 20);
  EXPECT_FALSE(superslab->free.any(60, 20));
  EXPECT_FALSE(superslab->fresh.any(60, 20));
  EXPECT_TRUE(superslab->free.test(59) && superslab->free.test(80));

  slab_states::set_free(superslab.get(), 60, 20);
  EXPECT_TRUE(slab_states::wholly_free(superslab.get()));
}

TEST(SlabStates, WhatHasGoneBackWaitsNoMore) {
  const auto superslab = std::make_unique<Superslab>();
  superslab->free.set(0, 100);
  superslab->touched.set(0, 100);
  slab_states::set_untouched(superslab.get(), 30, 40);
  EXPECT_EQ(slab_states::count_waiting(superslab.get(), 0, 100), 60);
  superslab->offered.set(0, 10);
  EXPECT_EQ(slab_states::count_waiting(superslab.get(), 0, 100), 50);
  slab_states::set_untouched(superslab.get(), 0, 10);
  EXPECT_FALSE(superslab->offered.any(0, 10)) << "the kernel has taken it";
}

}  // namespace
}  // namespace hakmem
