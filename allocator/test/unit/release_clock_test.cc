// release_clock_test.cc - free memory ages while the program allocates, not while it pauses.
#include "superslab/release_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

constexpr uint64_t kHourMs = 3'600'000;

class ReleaseClock : public testing::Test {
 protected:
  void SetUp() override { release_clock::now_ms(); }
  void TearDown() override { hakmem_configure("HAKMEM_PURGE_DELAY_MS", "250"); }
  // What the clock shows more after the kernel's has gone on by `ms`.
  uint64_t goes_on_by(uint64_t ms) {
    const uint64_t before = release_clock::now_ms();
    kernel_.advance_ms(ms);
    return release_clock::now_ms() - before;
  }
  test::FakeKernel kernel_;
};

TEST_F(ReleaseClock, GoesAsTheKernelsDoesWhileTheProgramCalls) {
  EXPECT_EQ(goes_on_by(0), 0u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(goes_on_by(63), 63u) << i;
}

TEST_F(ReleaseClock, APauseCountsHalfAnAge) {
  EXPECT_EQ(goes_on_by(kHourMs), 63u);
  EXPECT_EQ(goes_on_by(64), 63u);
  EXPECT_LE(goes_on_by(24 * kHourMs), 63u);
  ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "2000"), 0);
  EXPECT_EQ(goes_on_by(kHourMs), 500u);
  ASSERT_EQ(hakmem_configure("HAKMEM_PURGE_DELAY_MS", "0"), 0);
  EXPECT_EQ(goes_on_by(kHourMs), 16u);
}

TEST_F(ReleaseClock, ThreadsThatWakeTogetherCountAPauseOnce) {
  constexpr int kThreads = 4, kPauses = 200;
  std::atomic<int> waiting{0}, pauses{0};
  const uint64_t before = release_clock::now_ms();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int pause = 1; pause <= kPauses; ++pause) {
        waiting.fetch_add(1);
        while (pauses.load() < pause) std::this_thread::yield();
        release_clock::now_ms();
      }
    });
  }
  for (int pause = 1; pause <= kPauses; ++pause) {
    while (waiting.load() < kThreads * pause) std::this_thread::yield();
    kernel_.advance_ms(kHourMs / 60);
    pauses.store(pause);
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(release_clock::now_ms() - before, uint64_t{63} * kPauses);
}

// Large runs and huge blocks: both ages are this clock's.
TEST_F(ReleaseClock, WhatWasFreedIsThereAfterAPauseAndGoesWhenTheProgramDoesWithoutIt) {
  for (const size_t bytes : {size_t{1} << 20, size_t{16} << 20}) {
    hakmem_purge(HAKMEM_PURGE_ALL);
    test::pass_ms(&kernel_, 1000);
    test::pass_to_next_age(&kernel_);
    auto *block = static_cast<volatile char *>(hakmem_malloc(bytes));
    for (size_t at = 0; at < bytes; at += 4096) block[at] = 1;
    hakmem_free(const_cast<char *>(block));
    for (int pause = 0; pause < 2; ++pause) {
      kernel_.advance_ms(kHourMs);
      page_heap::tick();
    }
    EXPECT_EQ(hakmem_malloc(bytes), block);
    EXPECT_EQ(block[0], 1) << bytes << " bytes were given back";
    hakmem_free(const_cast<char *>(block));
    test::pass_ms(&kernel_, 500);
    EXPECT_EQ(page_heap::totals().free_touched_bytes, 0u);
    EXPECT_FALSE(page_heap::backlog());
  }
}

}  // namespace
}  // namespace hakmem
