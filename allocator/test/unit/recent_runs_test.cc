// recent_runs_test.cc - large blocks that a thread frees and gets again without the page heap.
#include "superslab/recent_runs.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <thread>
#include <vector>

#include "cache/heap.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

constexpr uint32_t kManyCalls = 1000;

class HeapRecent : public testing::Test {
 protected:
  HeapRecent() {
    hakmem_free(hakmem_malloc(1));  // the thread has a heap
    hakmem_purge(HAKMEM_PURGE_ALL);
    settle();
  }
  ~HeapRecent() override { hakmem_purge(HAKMEM_PURGE_ALL); }

  // The thread's heap has seen the age that it is now, and will not look for a while.
  void settle() {
    kernel_.advance_ms(10'000);
    page_heap::tick();
    t_heap->calls_to_tick = 0;
    come_back_soon(t_heap);
    t_heap->calls_to_tick = kManyCalls;
  }
  static size_t kept_bytes() { return t_heap->recent.bytes(); }
  static char *allocate(size_t bytes) { return static_cast<char *>(hakmem_malloc(bytes)); }

  test::FakeKernel kernel_;
};

TEST_F(HeapRecent, ServeTheNextBlockOfTheirSize) {
  char *block = allocate(100'000);
  hakmem_free(block);
  EXPECT_EQ(kept_bytes(), 2 * kSlabBytes);
  const size_t free_bytes = page_heap::totals().free_bytes;
  EXPECT_EQ(allocate(70'000), block) << "two slabs as well";
  EXPECT_EQ(kept_bytes(), 0u);
  EXPECT_EQ(page_heap::totals().free_bytes, free_bytes) << "the page heap knows of nothing";
  hakmem_free(block);
}

TEST_F(HeapRecent, TheOldestGoToThePageHeap) {
  std::vector<char *> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(allocate(kSlabBytes));
  for (char *block : blocks) hakmem_free(block);
  EXPECT_EQ(kept_bytes(), 4 * kSlabBytes);
  EXPECT_EQ(allocate(kSlabBytes), blocks.back());
  hakmem_free(blocks.back());

  settle();
  char *large = allocate(7 * kSlabBytes);
  hakmem_free(large);
  char *small = allocate(2 * kSlabBytes);
  hakmem_free(large = allocate(7 * kSlabBytes));
  hakmem_free(small);
  EXPECT_EQ(kept_bytes(), 2 * kSlabBytes) << "nine slabs are too many";
}

TEST_F(HeapRecent, WhatIsLargeIsForAllThreads) {
  hakmem_free(allocate(HeapRecentRuns::kMostBytes));
  EXPECT_EQ(kept_bytes(), HeapRecentRuns::kMostBytes);
  hakmem_free(allocate(HeapRecentRuns::kMostBytes + 1));
  EXPECT_EQ(kept_bytes(), 0u) << "given up before memory was looked for";
}

TEST_F(HeapRecent, AreMergedBeforeOtherMemoryIsTaken) {
  char *whole = allocate(8 * kSlabBytes);
  hakmem_free(whole);
  char *first = allocate(4 * kSlabBytes);
  char *second = allocate(4 * kSlabBytes);
  ASSERT_EQ(first, whole);
  ASSERT_EQ(second, whole + 4 * kSlabBytes);
  hakmem_free(first);
  hakmem_free(second);
  EXPECT_EQ(kept_bytes(), 8 * kSlabBytes);
  EXPECT_EQ(allocate(8 * kSlabBytes), whole);

  hakmem_free(whole);
  first = allocate(3 * kSlabBytes);
  second = allocate(4 * kSlabBytes);
  ASSERT_EQ(second, first + 3 * kSlabBytes);
  hakmem_free(second);
  EXPECT_EQ(hakmem_realloc(first, 7 * kSlabBytes), first) << "grows into what lies behind it";
  hakmem_free(first);
}

TEST_F(HeapRecent, GoBackWithAnAge) {
  hakmem_free(allocate(kSlabBytes));
  t_heap->calls_to_tick = 0;
  come_back_soon(t_heap);
  const size_t kept = kept_bytes();
  t_heap->calls_to_tick = 0;
  kernel_.advance_ms(10'000);
  come_back_soon(t_heap);
  EXPECT_EQ(kept_bytes(), 0u) << kept;
}

// Calls that find a run count as those that do not: ageing is not put off for ever.
TEST_F(HeapRecent, AgeEvenIfEachCallIsServed) {
  t_heap->calls_to_tick = 10;
  const uint32_t ticks = t_heap->ticks_seen;
  for (int i = 0; i < 20; ++i) {
    kernel_.advance_ms(10'000);
    hakmem_free(allocate(kSlabBytes));
  }
  EXPECT_NE(t_heap->ticks_seen, ticks);
}

TEST_F(HeapRecent, AreNotKeptByAThreadThatEnds) {
  Heap *heap = nullptr;
  size_t kept = 0;
  std::thread([&] {
    hakmem_free(hakmem_malloc(1));
    heap = t_heap;
    settle();
    hakmem_free(allocate(kSlabBytes));
    kept = heap->recent.bytes();
  }).join();
  EXPECT_EQ(kept, kSlabBytes);
  EXPECT_EQ(heap->recent.bytes(), 0u);
}

TEST_F(HeapRecent, MemoryLeanKeepsNone) {
  ASSERT_EQ(hakmem_configure("HAKMEM_SS_MEM_LEAN_MODE", "2"), 0);
  hakmem_free(allocate(kSlabBytes));
  EXPECT_EQ(kept_bytes(), 0u);
  ASSERT_EQ(hakmem_configure("HAKMEM_SS_MEM_LEAN_MODE", "0"), 0);
}

TEST_F(HeapRecent, OfThreadsThatAreNotInAForkedChildAreLost) {
  std::promise<Heap *> freed;
  std::promise<void> forked;
  std::thread other([&] {
    hakmem_free(hakmem_malloc(1));
    settle();
    hakmem_free(allocate(kSlabBytes));
    freed.set_value(t_heap);
    forked.get_future().wait();
  });
  const Heap *heap = freed.get_future().get();
  EXPECT_EQ(heap->recent.bytes(), kSlabBytes);
  const pid_t child = fork();
  if (child == 0) _exit(heap->recent.bytes() == 0 ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(heap->recent.bytes(), kSlabBytes) << "the parent's are as they were";
  forked.set_value();
  other.join();
}

using HeapRecentDeathTest = HeapRecent;

TEST_F(HeapRecentDeathTest, AFreeThatRacedWithAnotherIsNoticedWhenTheRunGoesBack) {
  char *block = allocate(kSlabBytes);
  hakmem_free(block);
  EXPECT_DEATH(hakmem_free(block), "double free");
  slab_of(block)->set_kind(SlabKind::kLarge);  // as the other thread still saw it
  hakmem_free(block);
  EXPECT_DEATH(hakmem_purge(HAKMEM_PURGE_ALL), "double free");
  EXPECT_EQ(slab_of(block), t_heap->recent.take_oldest()) << "the first free's is given back";
}

}  // namespace
}  // namespace hakmem
