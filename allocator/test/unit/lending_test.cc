// lending_test.cc - small heaps: the next larger class lends a block before new memory is carved.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "cache/heap.h"
#include "hakmem/hakmem.h"

namespace hakmem {
namespace {

constexpr size_t kOwn = 5120, kLender = 5632;
constexpr int kLoans = 256;  // within an age, for one carve

// A heap that caches nothing and has carved nothing, which ages only when told to.
template <class F>
void in_small_heap(F body) {
  std::thread([&] {
    hakmem_free(hakmem_malloc(1));
    drain(t_heap);
    t_heap->calls_to_tick = 1'000'000;
    body();
  }).join();
}

// What a request gets while one block of the larger class is free. The request's own blocks that are
// free would serve it first, so they are drained.
size_t served() {
  void *block = hakmem_malloc(kOwn);
  const size_t usable = hakmem_usable_size(block);
  hakmem_free(block);
  if (usable == kOwn) drain(t_heap);
  return usable;
}

void offer_a_loan() { hakmem_free(hakmem_malloc(kLender)); }

TEST(Lending, AClassEarnsABlockOfItsOwnByManyLoans) {
  in_small_heap([] {
    offer_a_loan();
    for (int i = 0; i < kLoans; ++i) ASSERT_EQ(served(), kLender) << i;
    EXPECT_EQ(served(), kOwn);
    t_heap->calls_to_tick = 1'000'000;
    offer_a_loan();
    for (int i = 0; i < kLoans; ++i) ASSERT_EQ(served(), kLender) << i << " after it carved";
  });
}

TEST(Lending, EachAgeBeginsAnew) {
  in_small_heap([] {
    offer_a_loan();
    for (int i = 0; i < kLoans; ++i) ASSERT_EQ(served(), kLender) << i;
    --t_heap->ages_seen;
    t_heap->calls_to_tick = 0;
    hakmem_free(hakmem_malloc(100));  // a slow call, which sees that an age has begun
    t_heap->calls_to_tick = 1'000'000;
    offer_a_loan();  // in a burst the new age takes the first one
    for (int i = 0; i < kLoans; ++i) ASSERT_EQ(served(), kLender) << i << " in the next age";
  });
}

TEST(Lending, ALargeHeapDoesNotBorrowUntilItIsDrained) {
  in_small_heap([] {
    std::vector<void *> blocks;
    for (int i = 0; i < 3000; ++i) blocks.push_back(hakmem_malloc(16));
    offer_a_loan();
    EXPECT_EQ(served(), kOwn);
    for (void *block : blocks) hakmem_free(block);
    drain(t_heap);
    offer_a_loan();
    EXPECT_EQ(served(), kLender);
  });
}

// Alignment comes from the class's own size.
TEST(Lending, NotToWhoAsksForAlignment) {
  in_small_heap([] {
    offer_a_loan();
    void *block = hakmem_aligned_alloc(1024, kOwn);
    EXPECT_EQ(hakmem_usable_size(block), kOwn);
    hakmem_free(block);
  });
}

// Up to 128 bytes the next class would waste more than an eighth, and the largest has none above it.
TEST(Lending, NotBetweenClassesThatAreFarApart) {
  in_small_heap([] {
    hakmem_free(hakmem_malloc(128));
    void *small = hakmem_malloc(112);
    EXPECT_EQ(hakmem_usable_size(small), 112u);
    void *largest = hakmem_malloc(kMaxSmallBytes);
    EXPECT_EQ(hakmem_usable_size(largest), kMaxSmallBytes);
    hakmem_free(small);
    hakmem_free(largest);
  });
}

}  // namespace
}  // namespace hakmem
