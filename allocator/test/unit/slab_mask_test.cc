// slab_mask_test.cc - the sets of slabs against a plain array, by brute force.
#include <gtest/gtest.h>

#include <bitset>
#include <memory>
#include <random>

#include "superslab/superslab.h"

namespace hakmem {
namespace {

using Model = std::bitset<kSlabsPerSuperslab>;

void expect_same(const SlabMask &mask, const Model &model) {
  for (size_t i = 0; i < kSlabsPerSuperslab; ++i) ASSERT_EQ(mask.test(i), model[i]) << i;
}

size_t last_at_or_below(const Model &model, size_t i) {
  for (size_t k = i + 1; k-- > 0;) {
    if (model[k]) return k;
  }
  return SIZE_MAX;
}

size_t run_length_below(const Model &model, size_t i) {
  size_t n = 0;
  while (n < i && model[i - n - 1]) ++n;
  return n;
}

TEST(SlabMask, AgreesWithBitset) {
  std::mt19937 rng(7);
  for (int round = 0; round < 200; ++round) {
    auto mask = std::make_unique<SlabMask>();
    Model model;
    for (int step = 0; step < 12; ++step) {
      const size_t begin = rng() % kSlabsPerSuperslab;
      const size_t count = 1 + rng() % (kSlabsPerSuperslab - begin);
      const bool on = rng() % 2 == 0;
      on ? mask->set(begin, count) : mask->clear(begin, count);
      for (size_t i = begin; i < begin + count; ++i) model[i] = on;
    }
    expect_same(*mask, model);
    for (size_t i = 0; i < kSlabsPerSuperslab; ++i) {
      ASSERT_EQ(mask->last_at_or_below(i), last_at_or_below(model, i)) << i;
      ASSERT_EQ(mask->run_length_below(i), run_length_below(model, i)) << i;
    }
    const size_t begin = rng() % kSlabsPerSuperslab;
    const size_t count = 1 + rng() % (kSlabsPerSuperslab - begin);
    bool any = false;
    for (size_t i = begin; i < begin + count; ++i) any |= model[i];
    EXPECT_EQ(mask->any(begin, count), any);
  }
}

}  // namespace
}  // namespace hakmem
