// heap_registry_test.cc - a heap that cannot be had whole; what threads leave that end.
#include "cache/heap_registry.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"

namespace hakmem {
namespace {

// The memory of a new heap is mapped inaccessible, and the kernel does not open it.
TEST(HeapRegistry, AHeapWhoseMemoryStaysClosedDoesWithoutItsOwnerMap) {
  test::FakeKernel kernel;
  hakmem_free(hakmem_malloc(16));
  // All heaps that ended threads left behind are taken, so that the next thread needs a new one.
  const heap_registry::Totals before = heap_registry::totals();
  const size_t unused = before.heaps - before.heaps_in_use;
  std::barrier all_have_heaps(static_cast<std::ptrdiff_t>(unused) + 1);
  std::barrier may_end(static_cast<std::ptrdiff_t>(unused) + 1);
  std::vector<std::thread> holders;
  for (size_t i = 0; i < unused; ++i) {
    holders.emplace_back([&] {
      hakmem_free(hakmem_malloc(16));
      all_have_heaps.arrive_and_wait();
      may_end.arrive_and_wait();
    });
  }
  all_have_heaps.arrive_and_wait();
  void *const of_another = hakmem_malloc(100);
  std::thread([&] {
    kernel.fail_call(1);  // the call after the one that maps
    void *block = hakmem_malloc(100);
    kernel.fail_none();
    ASSERT_NE(block, nullptr);
    ASSERT_NE(t_heap, empty_heap());
    EXPECT_EQ(t_heap->map_mask, 0u);
    hakmem_free(block);
    // A block of another heap can't wait in a bin that the map says nothing of: it goes home at once.
    void **const bin = t_heap->top[kRemoteBin];
    hakmem_free(of_another);
    EXPECT_EQ(t_heap->top[kRemoteBin], bin);
  }).join();
  EXPECT_EQ(heap_registry::totals().heaps, before.heaps + 1);
  may_end.arrive_and_wait();
  for (std::thread &holder : holders) holder.join();
}

// What the C library frees for a thread that ends, or that never allocated, must not make it adopt a heap:
// no destructor is left to give it back.
TEST(HeapRegistry, AFewFreesDoNotMakeAThreadAdopt) {
  std::vector<void *> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(hakmem_malloc(64));
  std::thread([&] {
    for (int i = 0; i < 8; ++i) {
      hakmem_free(blocks.back());
      blocks.pop_back();
    }
    EXPECT_EQ(t_heap, empty_heap());
    // A consumer's frees, though, go home in batches.
    for (void *block : blocks) hakmem_free(block);
    EXPECT_NE(t_heap, empty_heap());
  }).join();
}

TEST(HeapRegistry, AThreadThatEndsFreesWithoutAHeap) {
  struct Late {
    std::vector<void *> blocks;
    bool freed = false;
  };
  // The keys' destructors run in their order: this one's after that of the heap, whose key is older.
  hakmem_free(hakmem_malloc(16));
  pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key,
                               [](void *value) {
                                 auto *late = static_cast<Late *>(value);
                                 ASSERT_EQ(t_heap, empty_heap());
                                 for (void *block : late->blocks) hakmem_free(block);
                                 EXPECT_EQ(t_heap, empty_heap());
                                 late->freed = true;
                               }),
            0);
  Late late;
  for (int i = 0; i < 100; ++i) late.blocks.push_back(hakmem_malloc(64));
  std::thread([&] {
    hakmem_free(hakmem_malloc(16));
    pthread_setspecific(key, &late);
  }).join();
  EXPECT_TRUE(late.freed);
  pthread_key_delete(key);
}

// A thread that ends leaves its heap to the next; if none comes, nobody else would look into it.
TEST(HeapRegistry, WhatAnEndedThreadCachedGoesBackWithTime) {
  constexpr size_t kBlocks = 16'000, kBytes = 1024;
  test::FakeKernel kernel;
  hakmem_free(hakmem_malloc(16));
  hakmem_purge(HAKMEM_PURGE_ALL);
  std::vector<unsigned char *> blocks;
  std::thread([&] {
    for (size_t i = 0; i < kBlocks; ++i) {
      blocks.push_back(static_cast<unsigned char *>(hakmem_malloc(kBytes)));
      memset(blocks.back(), 1, kBytes);
    }
    std::mt19937 random(1);
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (unsigned char *block : blocks) hakmem_free(block);
  }).join();
  for (int age = 0; age < 24; ++age) {
    test::pass_ms(&kernel, 130);
    t_heap->calls_to_tick = 0;
    come_back_soon(t_heap);
  }
  size_t resident = 0;
  for (const unsigned char *block : blocks) {
    unsigned char page = 0;
    const uintptr_t base = align_down(address_of(block), kOsPageBytes);
    if (mincore(as_pointer(base), kOsPageBytes, &page) == 0) resident += page & 1;
  }
  EXPECT_LT(resident, kBlocks / 20) << "of so many blocks the pages are resident";
}

// The byte of the owner map that says "another heap's" may be that of small blocks which were there before.
TEST(HeapRegistry, ALargeBlockTakenForARemoteOneIsSoOnlyOnce) {
  hakmem_free(hakmem_malloc(16));
  void *block = hakmem_malloc(kMiB);
  flush_remote(t_heap);
  OwnerMap(t_heap->owner_map(), t_heap->map_mask, &t_heap->writable_chunks)
      .set(address_of(block), 1, static_cast<uint8_t>(kRemoteBin));
  hakmem_free(block);
  ASSERT_EQ(*t_heap->top[kRemoteBin], block) << "it waits among the remote ones";
  flush_remote(t_heap);
  EXPECT_EQ(t_heap->owner_map()[owner_map_index(t_heap, block)].load(), 0);
  EXPECT_EQ(hakmem_malloc(kMiB), block);
  hakmem_free(block);
  EXPECT_NE(*t_heap->top[kRemoteBin], block);
}

// It may be its first call; where checks are not asked for there is none.
TEST(HeapRegistry, AWrongSizeIsNoMatterWithoutChecks) {
  void *block = hakmem_malloc(4000);
  std::thread([&] {
    ASSERT_EQ(t_heap, empty_heap());
    hakmem_free_sized(block, 16);
  }).join();
}

}  // namespace
}  // namespace hakmem
