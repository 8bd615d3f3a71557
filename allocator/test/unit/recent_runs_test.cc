// recent_runs_test.cc - large blocks that a thread frees and gets again without the page heap.
#include "superslab/recent_runs.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "cache/heap.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "slab/locate.h"
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
    test::pass_ms(&kernel_, 10'000);
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
  EXPECT_EQ(kept_bytes(), kSlabBytes) << "within an age";
  t_heap->calls_to_tick = 0;
  test::pass_ms(&kernel_, 10'000);
  come_back_soon(t_heap);
  EXPECT_EQ(kept_bytes(), 0u);
}

// Calls that find a run count as those that do not: ageing is not put off for ever.
TEST_F(HeapRecent, AgeEvenIfEachCallIsServed) {
  t_heap->calls_to_tick = 10;
  const uint32_t ages = t_heap->ages_seen;
  for (int i = 0; i < 20; ++i) {
    test::pass_ms(&kernel_, 10'000);
    hakmem_free(allocate(kSlabBytes));
  }
  EXPECT_NE(t_heap->ages_seen, ages);
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

TEST_F(HeapRecent, OfThreadsThatAreNotInAForkedChildAreFree) {
  char *block = nullptr;
  std::promise<Heap *> freed;
  std::promise<void> forked;
  std::thread other([&] {
    hakmem_free(hakmem_malloc(1));
    settle();
    hakmem_free(block = allocate(kSlabBytes));
    freed.set_value(t_heap);
    forked.get_future().wait();
  });
  const Heap *heap = freed.get_future().get();
  EXPECT_EQ(heap->recent.bytes(), kSlabBytes);
  const pid_t child = fork();
  if (child == 0) {
    if (heap->recent.bytes() != 0) _exit(1);
    _exit(locate(block).what == Location::What::kForeign ? 0 : 2);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(heap->recent.bytes(), kSlabBytes) << "the parent's are as they were";
  forked.set_value();
  other.join();
}

// Where another heap's small blocks were, free would take a block for one of theirs.
TEST_F(HeapRecent, AreNotTakenForAnotherHeapsBlocks) {
  std::vector<void *> theirs;
  std::thread([&] {
    for (int i = 0; i < 20'000; ++i) theirs.push_back(hakmem_malloc(64));
  }).join();
  for (void *block : theirs) hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_ALL);
  std::vector<char *> blocks;
  size_t marked = 0;
  for (int i = 0; i < 60; ++i) {
    settle();
    const auto marks = [&] {
      size_t n = 0;
      for (void *block : theirs) {
        n += t_heap->owner_map()[owner_map_index(t_heap, block)].load() == kRemoteBin;
      }
      return n;
    };
    const size_t before = marks();
    blocks.push_back(allocate(kSlabBytes));
    marked += marks() < before;
  }
  EXPECT_GT(marked, 0u) << "no block came to lie where theirs were";
  for (char *block : blocks) {
    settle();
    hakmem_free(block);
    EXPECT_EQ(slab_of(block)->kind(), SlabKind::kCached);
  }
}

TEST_F(HeapRecent, AreNoMoreThanTheDepotMayHold) {
  ASSERT_EQ(hakmem_configure("HAKMEM_DEPOT_KB", "128"), 0);
  std::vector<char *> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(allocate(kSlabBytes));
  for (char *block : blocks) hakmem_free(block);
  EXPECT_EQ(kept_bytes(), 2 * kSlabBytes);
  ASSERT_EQ(hakmem_configure("HAKMEM_DEPOT_KB", "0"), 0);
  settle();
  hakmem_free(allocate(2 * kSlabBytes));
  EXPECT_EQ(kept_bytes(), 0u);
  ASSERT_EQ(hakmem_configure("HAKMEM_DEPOT_KB", "8192"), 0);
}

// The program may go on from its magazines, whose blocks may all be larger ones.
TEST_F(HeapRecent, ABurstIsWatchedForWhateverTheCount) {
  for (const size_t size : {size_t{32}, size_t{4096}}) {
    for (uint32_t calls = 0; calls < 10; ++calls) {
      hakmem_purge(HAKMEM_PURGE_ALL);
      test::pass_ms(&kernel_, 10'000);
      t_heap->calm_ages = 1000;
      t_heap->watch = {};
      void *burst = hakmem_malloc(64 * kMiB);
      hakmem_free(hakmem_malloc(size));
      ASSERT_FALSE(t_heap->watch.hidden());
      t_heap->calls_to_tick = calls;
      hakmem_free(burst);
      EXPECT_TRUE(t_heap->watch.hidden()) << size << " bytes, " << calls;
    }
  }
}

using HeapRecentDeathTest = HeapRecent;

TEST_F(HeapRecentDeathTest, AreNotTheProgramsAnyMore) {
  constexpr char kDoubleFree[] = "double free of 0x[0-9a-f]+ \\(size class 131072\\)";
  char *block = allocate(2 * kSlabBytes);
  hakmem_free(block);
  EXPECT_DEATH(hakmem_free(block), kDoubleFree);
  EXPECT_DEATH(hakmem_usable_size(block), kDoubleFree);
  EXPECT_DEATH(hakmem_realloc(block, 2 * kSlabBytes), kDoubleFree);
}

TEST_F(HeapRecentDeathTest, OfTwoFreesAtATimeOneIsNoticed) {
  for (int round = 0; round < 300; ++round) {
    EXPECT_DEATH(
        {
          char *block = allocate(kSlabBytes);
          std::atomic<int> there{0};  // they spin: a wake-up would take longer than the race
          const auto free_it = [&] {
            hakmem_free(hakmem_malloc(1));
            settle();
            for (++there; there < 2;) {
            }
            hakmem_free(block);
          };
          std::thread other(free_it);
          free_it();
          other.join();
        },
        "double free of 0x[0-9a-f]+ \\(size class 65536\\)");
  }
}

}  // namespace
}  // namespace hakmem
