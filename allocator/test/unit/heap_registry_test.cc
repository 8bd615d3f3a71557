// heap_registry_test.cc - a heap that cannot be had whole; what threads leave that end.
#include "cache/heap_registry.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <semaphore>
#include <set>
#include <thread>
#include <vector>

#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

// Threads that have taken all heaps that ended threads left behind, so that the next needs a new
// one.
class EveryUnusedHeap {
 public:
  EveryUnusedHeap() {
    hakmem_free(hakmem_malloc(16));
    const heap_registry::Totals now = heap_registry::totals();
    for (size_t i = now.heaps_in_use; i < now.heaps; ++i) {
      holders_.emplace_back([&] {
        hakmem_free(hakmem_malloc(16));
        arrived_.release();
        may_end_.acquire();
      });
    }
    for (size_t i = 0; i < holders_.size(); ++i) arrived_.acquire();
  }
  ~EveryUnusedHeap() { leave(); }
  void leave() {
    may_end_.release(static_cast<std::ptrdiff_t>(holders_.size()));
    for (std::thread &holder : holders_) holder.join();
    holders_.clear();
  }

 private:
  std::counting_semaphore<> arrived_{0}, may_end_{0};
  std::vector<std::thread> holders_;
};

// The memory of a new heap is mapped inaccessible, and the kernel does not open it.
TEST(HeapRegistry, AHeapWhoseMemoryStaysClosedDoesWithoutItsOwnerMap) {
  test::FakeKernel kernel;
  EveryUnusedHeap taken;
  const heap_registry::Totals before = heap_registry::totals();
  void *const of_another = hakmem_malloc(100);
  std::thread([&] {
    kernel.fail_call(1);  // the call after the one that maps
    void *block = hakmem_malloc(100);
    kernel.fail_none();
    ASSERT_NE(block, nullptr);
    ASSERT_NE(t_heap, empty_heap());
    EXPECT_EQ(t_heap->whole_mask, 0u);
    hakmem_free(block);
    // A block of another heap can't wait in a bin that the map says nothing of: it goes home at once.
    void **const bin = t_heap->top[kRemoteBin];
    hakmem_free(of_another);
    EXPECT_EQ(t_heap->top[kRemoteBin], bin);
  }).join();
  EXPECT_EQ(heap_registry::totals().heaps, before.heaps + 1);
}

// Else a program that has had very many threads would go on without maps, for the last heaps are
// those without.
TEST(HeapRegistry, AThreadTakesAHeapWithAnOwnerMapIfThereIsOne) {
  test::FakeKernel kernel;
  std::thread([] { hakmem_free(hakmem_malloc(16)); }).join();
  EveryUnusedHeap taken;
  std::binary_semaphore has_heap{0}, may_end{0};
  std::thread without([&] {
    kernel.fail_call(1);
    hakmem_free(hakmem_malloc(16));
    kernel.fail_none();
    EXPECT_EQ(t_heap->whole_mask, 0u);
    has_heap.release();
    may_end.acquire();
  });
  has_heap.acquire();
  taken.leave();
  may_end.release();
  without.join();
  std::thread([] {
    hakmem_free(hakmem_malloc(16));
    EXPECT_NE(t_heap->whole_mask, 0u);
  }).join();
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

// This thread makes a slow call in each of so many ages.
void pass_ages(test::FakeKernel *kernel, int ages) {
  for (int age = 0; age < ages; ++age) {
    test::pass_ms(kernel, 130);
    t_heap->calls_to_tick = 0;
    come_back_soon(t_heap);
  }
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
  pass_ages(&kernel, 24);
  size_t resident = 0;
  for (const unsigned char *block : blocks) {
    unsigned char page = 0;
    const uintptr_t base = align_down(address_of(block), kOsPageBytes);
    if (mincore(as_pointer(base), kOsPageBytes, &page) == 0) resident += page & 1;
  }
  EXPECT_LT(resident, kBlocks / 20) << "of so many blocks the pages are resident";
}

// Of very many within 2 s, too.
TEST(HeapRegistry, WhatManyEndedThreadsCachedGoesBackWithTime) {
  constexpr size_t kThreads = 200, kBytes = 4096, kBlocks = 16;  // a slab
  test::FakeKernel kernel;
  hakmem_free(hakmem_malloc(16));
  hakmem_purge(HAKMEM_PURGE_ALL);
  std::vector<unsigned char *> blocks(kThreads * kBlocks);
  std::counting_semaphore<> has_blocks{0}, may_end{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < kBlocks; ++i) {
        unsigned char *&block = blocks[t * kBlocks + i];
        block = static_cast<unsigned char *>(hakmem_malloc(kBytes));
        *block = 1;
      }
      has_blocks.release();
      may_end.acquire();
      for (size_t i = 0; i < kBlocks; ++i) hakmem_free(blocks[t * kBlocks + i]);
    });
  }
  for (size_t t = 0; t < kThreads; ++t) has_blocks.acquire();
  may_end.release(kThreads);
  for (std::thread &thread : threads) thread.join();
  pass_ages(&kernel, 16);
  size_t resident = 0;
  for (const unsigned char *block : blocks) {
    unsigned char page = 0;
    if (mincore(as_pointer(address_of(block)), kOsPageBytes, &page) == 0) resident += page & 1;
  }
  EXPECT_LT(resident, blocks.size() / 20);
}

TEST(HeapRegistry, SoDoTheMagazinesThatItHad) {
  test::FakeKernel kernel;
  hakmem_free(hakmem_malloc(16));
  const Heap *heap = nullptr;
  std::thread([&] {
    std::vector<void *> blocks(100'000);
    for (void *&block : blocks) block = hakmem_malloc(16);
    for (void *block : blocks) hakmem_free(block);
    heap = t_heap;
  }).join();
  const auto resident = [&] {
    std::vector<unsigned char> pages(Depot::kStorageBytes / kOsPageBytes);
    const uintptr_t begin = heap_registry::extent_of(heap).begin;
    EXPECT_EQ(mincore(as_pointer(begin), Depot::kStorageBytes, pages.data()), 0);
    return std::count_if(pages.begin(), pages.end(),
                         [](unsigned char page) { return (page & 1) != 0; });
  };
  ASSERT_GT(resident(), 100);
  pass_ages(&kernel, 4);
  EXPECT_LT(resident(), 10);
  std::thread([&] {
    std::vector<void *> blocks(10'000);
    for (void *&block : blocks) block = hakmem_malloc(16);
    for (void *block : blocks) hakmem_free(block);
    EXPECT_EQ(t_heap, heap);
  }).join();
}

// Small blocks of this thread, which another frees; their slabs are then free, and the other thread lives on.
class HeapRegistryOtherThread : public testing::Test {
 protected:
  // `bytes` of them all, and their superslabs go back to the kernel, too, where they are whole.
  void free_by_other(size_t bytes) {
    constexpr size_t kBlockBytes = 4096;
    for (size_t i = 0; i < bytes / kBlockBytes; ++i) theirs_.push_back(hakmem_malloc(kBlockBytes));
    do {  // until one has no heap that another test left without an owner map
      threads_.emplace_back([this] { be_the_other(); });
      arrived_.acquire();
    } while (heap_->whole_mask == 0);
    marked_ = marks();
    hakmem_purge(HAKMEM_PURGE_ALL);
  }
  void free_large_by_other() {
    go_on_.release();
    arrived_.acquire();
  }
  ~HeapRegistryOtherThread() override {
    go_on_.release();
    end_.release(static_cast<std::ptrdiff_t>(threads_.size()));
    for (std::thread &thread : threads_) thread.join();
  }
  // How many entries of its owner map say "another heap's", of the slabs where the blocks were.
  size_t marks() const {
    std::set<size_t> marked;
    for (const void *block : theirs_) {
      const size_t index = owner_map_index(heap_, block);
      if (heap_->owner_map()[index].load() == kRemoteBin) marked.insert(index);
    }
    return marked.size();
  }
  bool nothing_waits() const {
    return heap_->top[kRemoteBin] == sentinel_of(magazine_of(heap_->top[kRemoteBin]), kRemoteBin);
  }

  std::vector<void *> theirs_, large_;
  size_t marked_ = 0;

 private:
  void be_the_other() {
    hakmem_free(hakmem_malloc(16));
    heap_ = t_heap;
    const bool has_map = t_heap->whole_mask != 0;
    if (has_map) {
      for (void *block : theirs_) hakmem_free(block);
      hakmem_purge(HAKMEM_PURGE_THREAD);
    }
    arrived_.release();
    if (has_map) {
      go_on_.acquire();
      for (void *block : large_) hakmem_free(block);
      arrived_.release();
    }
    end_.acquire();
  }

  Heap *heap_ = nullptr;  // the other's
  std::counting_semaphore<> arrived_{0}, go_on_{0}, end_{0};
  std::vector<std::thread> threads_;
};

// They would wait in a thread that is idle from then on, 63 of any size.
TEST_F(HeapRegistryOtherThread, LargeBlocksAreNotTakenForSmallOnesThatWereThere) {
  free_by_other(4 * kMiB);
  ASSERT_GT(marked_, 50u);
  for (int i = 0; i < 50; ++i) large_.push_back(hakmem_malloc(kSlabBytes));
  EXPECT_LT(marks(), marked_) << "no block came to lie where theirs were";
  free_large_by_other();
  EXPECT_TRUE(nothing_waits());
}

TEST_F(HeapRegistryOtherThread, NorWhereTheirSuperslabWentBackToTheKernel) {
  free_by_other(128 * kMiB);
  const size_t superslabs = page_heap::totals().superslabs;
  ASSERT_LT(superslabs * kUnitBytes, 64 * kMiB);
  ASSERT_GT(marked_ * kSlabBytes, 100 * kMiB);
  for (int i = 0; i < 1000; ++i) large_.push_back(hakmem_malloc(kSlabBytes));
  ASSERT_GT(page_heap::totals().superslabs, superslabs);
  EXPECT_LT(marks(), marked_ - 400) << "no block came to lie where theirs were";
  free_large_by_other();
  EXPECT_TRUE(nothing_waits());
}

// A second free that waited until the slab was a large block, somebody's, does not free that.
TEST(HeapRegistryDeathTest, AFreeThatWaitedForTooLongIsADoubleFree) {
  hakmem_free(hakmem_malloc(16));
  void *block = hakmem_malloc(kMiB);
  flush_remote(t_heap);
  EXPECT_DEATH(
      {
        *++t_heap->top[kRemoteBin] = block;
        flush_remote(t_heap);
      },
      "double free of 0x[0-9a-f]+ \\(size class not known\\)");
  hakmem_free(block);
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
