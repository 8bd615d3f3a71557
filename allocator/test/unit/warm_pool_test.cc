// warm_pool_test.cc - what is populated ahead, when, and what becomes of it.
#include "superslab/warm_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <vector>

#include "config/config.h"
#include "fake_kernel.h"
#include "pass_time.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

constexpr size_t kPoolBytes = 4 * kMiB;

size_t resident_bytes(const void *base, size_t bytes) {
  std::vector<unsigned char> pages(bytes / kOsPageBytes);
  if (mincore(const_cast<void *>(base), bytes, pages.data()) != 0) return 0;
  size_t resident = 0;
  for (const unsigned char page : pages) resident += (page & 1) * kOsPageBytes;
  return resident;
}

// The heap of a process in which nothing was allocated.
class WarmPool : public testing::Test {
 protected:
  void SetUp() override {
    page_heap::purge_all();
    ASSERT_EQ(page_heap::totals().superslabs, 0u) << "another test left blocks";
    set_knob("HAKMEM_SS_WARM_POOL_KB", std::to_string(kPoolBytes / kKiB).c_str());
    before_ = page_heap::totals().warm;
  }
  void TearDown() override {
    for (Slab *slab : taken_) page_heap::free(slab);
    set_knob("HAKMEM_SS_WARM_POOL_KB", "0");
    page_heap::purge_all();
    EXPECT_EQ(page_heap::totals().warm.bytes, 0u);
  }
  page_heap::Run take(size_t bytes) {
    const page_heap::Run run = page_heap::allocate_large(bytes / kSlabBytes, 1);
    taken_.push_back(run.slab);
    return run;
  }
  void take_small() { taken_.push_back(page_heap::allocate_small(1, 16).slab); }
  void give_back_all() {
    for (Slab *slab : taken_) page_heap::free(slab);
    taken_.clear();
  }
  warm_pool::Totals now() {
    warm_pool::Totals t = page_heap::totals().warm;
    t.fills -= before_.fills;
    t.populated_bytes -= before_.populated_bytes;
    t.hits -= before_.hits;
    t.misses -= before_.misses;
    return t;
  }

  test::FakeKernel kernel_;
  std::vector<Slab *> taken_;
  warm_pool::Totals before_{};
};

TEST_F(WarmPool, IsFilledWhenTheHeapBegins) {
  const page_heap::Run run = take(kSlabBytes);
  EXPECT_EQ(now().bytes, kPoolBytes);
  EXPECT_EQ(now().fills, 1u);
  EXPECT_EQ(now().misses, 1u);
  const uintptr_t behind = slab_address(run.slab) + kSlabBytes;
  EXPECT_EQ(resident_bytes(as_pointer(behind), kPoolBytes), kPoolBytes);
  EXPECT_EQ(resident_bytes(as_pointer(behind + kPoolBytes), kPoolBytes), 0u);
}

TEST_F(WarmPool, ServesGrowthWithMemoryThatIsResidentAndZero) {
  take(kSlabBytes);
  const page_heap::Run run = take(kMiB);
  EXPECT_TRUE(run.zeroed);
  EXPECT_EQ(resident_bytes(as_pointer(slab_address(run.slab)), kMiB), kMiB);
  EXPECT_EQ(now().hits, kMiB / kSlabBytes);
  EXPECT_EQ(now().bytes, kPoolBytes - kMiB);
}

TEST_F(WarmPool, IsKeptWhenItsTimeWouldBeOver) {
  take(kSlabBytes);
  const uint64_t discards = kernel_.discards();
  test::pass_ms(&kernel_, 10'000);
  EXPECT_EQ(kernel_.discards(), discards);
  EXPECT_EQ(now().bytes, kPoolBytes);
  EXPECT_FALSE(page_heap::backlog());
}

TEST_F(WarmPool, IsFilledAgainInAHeapOfEightTimesItsSizeWhenSmallSlabsGrow) {
  for (size_t bytes = 0; bytes < 7 * kPoolBytes; bytes += kSlabBytes) take_small();
  EXPECT_EQ(now().fills, 1u) << "in a small heap";
  for (size_t bytes = 0; bytes < 2 * kPoolBytes; bytes += kSlabBytes) take_small();
  EXPECT_EQ(now().fills, 2u);
  EXPECT_GT(now().bytes, 0u);
  EXPECT_LE(now().bytes, kPoolBytes);
}

TEST_F(WarmPool, IsNotFilledAgainForLargeBlocks) {
  for (size_t bytes = 0; bytes < 16 * kPoolBytes; bytes += kMiB) take(kMiB);
  EXPECT_EQ(now().fills, 1u);
  EXPECT_EQ(now().populated_bytes, kPoolBytes);
}

TEST_F(WarmPool, GoesBackOnDemand) {
  take(kSlabBytes);
  page_heap::purge_all();
  EXPECT_EQ(now().bytes, 0u);
  EXPECT_TRUE(take(kMiB).zeroed);
}

TEST_F(WarmPool, GoesWithASuperslabThatIsUnmapped) {
  take(kSlabBytes);
  give_back_all();
  EXPECT_TRUE(page_heap::give_up_address_space());
  EXPECT_EQ(now().bytes, 0u);
}

TEST_F(WarmPool, IsDoneWithoutIfTheKernelRefuses) {
  kernel_.fail_call(0, true);
  EXPECT_EQ(page_heap::allocate_large(1, 1).slab, nullptr);
  kernel_.fail_none();
  take(kSlabBytes);
  give_back_all();
  page_heap::purge_all();
  const uint64_t populates = kernel_.populates();
  kernel_.fail_call(1);  // the superslab's mapping comes first
  take(kSlabBytes);
  EXPECT_EQ(kernel_.populates(), populates);
  EXPECT_EQ(now().bytes, 0u);
  kernel_.fail_none();
}

}  // namespace
}  // namespace hakmem
