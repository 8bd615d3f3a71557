// huge_fixture.h - for tests of freed huge blocks: a heap in which none is live, and an injected clock.
#ifndef HAKMEM_TEST_UNIT_HUGE_FIXTURE_H_
#define HAKMEM_TEST_UNIT_HUGE_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "base/units.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"

namespace hakmem {

inline size_t resident_bytes(const void *base, size_t bytes) {
  std::vector<unsigned char> pages(bytes / kOsPageBytes);
  if (mincore(const_cast<void *>(base), bytes, pages.data()) != 0) return 0;
  size_t resident = 0;
  for (const unsigned char page : pages) resident += (page & 1) * kOsPageBytes;
  return resident;
}

class HugeCache : public testing::Test {
 protected:
  void SetUp() override {
    hakmem_purge(HAKMEM_PURGE_ALL);
    ASSERT_EQ(huge_blocks::totals().blocks, 0u) << "another test left blocks";
    pass_ages(3);  // what was live then counts no more
  }
  void TearDown() override {
    kernel_.fail_none();
    for (void *block : live_) hakmem_free(block);
    hakmem_configure("HAKMEM_HUGE_CACHE_PERCENT", "100");
    hakmem_purge(HAKMEM_PURGE_ALL);
    EXPECT_EQ(huge_blocks::totals().blocks, 0u);
    EXPECT_EQ(kept().blocks, 0u);
    EXPECT_EQ(kept().bytes, 0u);
  }
  // All of it is written.
  char *allocate(size_t bytes) {
    auto *block = static_cast<char *>(hakmem_malloc(bytes));
    EXPECT_NE(block, nullptr);
    memset(block, 'x', bytes);
    live_.push_back(block);
    return block;
  }
  void give_back(void *block) {
    std::erase(live_, block);
    hakmem_free(block);
  }
  void pass_ages(uint64_t ages) { test::pass_ms(&kernel_, 130 * ages); }
  static huge_cache::Totals kept() { return huge_blocks::totals().kept; }
  static size_t live_bytes() { return huge_blocks::totals().mapped_bytes; }

  test::FakeKernel kernel_;
  std::vector<void *> live_;
};

}  // namespace hakmem

#endif  // HAKMEM_TEST_UNIT_HUGE_FIXTURE_H_
