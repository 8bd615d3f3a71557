// no_lazy_discard_test.cc - memory-lean by MADV_FREE where the kernel does not have it. A process
// learns that once, so these tests have one of their own.
#include <gtest/gtest.h>

#include <vector>

#include "base/units.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

class NoLazyDiscard : public testing::Test {
 protected:
  NoLazyDiscard() { hakmem_configure("HAKMEM_SS_MEM_LEAN_MODE", "free"); }
  ~NoLazyDiscard() override { hakmem_purge(HAKMEM_PURGE_ALL); }

  // Superslabs become empty, and what is free in others ages.
  void free_a_burst() {
    std::vector<void *> blocks;
    for (int i = 0; i < 1000; ++i) {
      blocks.push_back(hakmem_malloc(128 * kKiB));
      *static_cast<volatile char *>(blocks.back()) = 1;
    }
    for (void *block : blocks) hakmem_free(block);
    test::pass_ms(&kernel_, 1000);
  }

  test::FakeKernel kernel_;
};

// Locked memory, say: the kernel may well take other pages lazily.
TEST_F(NoLazyDiscard, IsNotConcludedWhereNothingIsTaken) {
  kernel_.deny_discard(true);
  free_a_burst();
  kernel_.deny_discard(false);
  const uint64_t asked = kernel_.lazy_discards();
  free_a_burst();
  EXPECT_GT(kernel_.lazy_discards(), asked);
  EXPECT_GE(page_heap::totals().offered_bytes, 100 * kMiB);
}

TEST_F(NoLazyDiscard, GivesPagesBackNowAndAsksNoMore) {
  kernel_.refuse_lazy_discard(true);
  const uint64_t asked = kernel_.lazy_discards();
  free_a_burst();
  EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u);
  EXPECT_EQ(kernel_.lazy_discards(), asked + 1);
  kernel_.refuse_lazy_discard(false);
  free_a_burst();
  EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u);
  EXPECT_EQ(kernel_.lazy_discards(), asked + 1);
}

}  // namespace
}  // namespace hakmem
