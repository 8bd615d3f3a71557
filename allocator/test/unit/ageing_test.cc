// ageing_test.cc - free pages go back with time wherever they lie, and whoever's they are.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

#include "cache/heap.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

class Ageing : public testing::Test {
 protected:
  // This thread has a heap, and long ago much was freed.
  Ageing() {
    hakmem_free(hakmem_malloc(16));
    hakmem_purge(HAKMEM_PURGE_ALL);
    pass_ages(2);
    t_heap->calm_ages = 1000;
  }
  ~Ageing() override {
    for (void *block : kept_) hakmem_free(block);
    hakmem_purge(HAKMEM_PURGE_ALL);
  }

  // This thread makes a slow call in each of so many ages.
  void pass_ages(int ages) {
    for (int age = 0; age < ages; ++age) {
      test::pass_ms(&kernel_, 130);
      make_slow_call();
    }
  }
  // Blocks of a page each, every second of which is to be freed: no slab becomes free.
  void allocate(size_t blocks) {
    for (size_t i = 0; i < blocks; ++i) {
      auto *block = static_cast<unsigned char *>(hakmem_malloc(kOsPageBytes));
      *block = 1;
      (i % 2 == 0 ? kept_ : freed_).push_back(block);
    }
  }
  void scatter(size_t blocks) {
    allocate(blocks);
    for (unsigned char *block : freed_) hakmem_free(block);
  }
  // Frees blocks that came before until the slabs have so many bytes more of free ones.
  void free_to_slabs(size_t bytes) {
    const size_t wanted = t_heap->pool.free_bytes() + bytes;
    while (t_heap->pool.free_bytes() < wanted) {
      ASSERT_FALSE(freed_.empty());
      hakmem_free(freed_.back());
      freed_.pop_back();
    }
    make_slow_call();
  }
  static void make_slow_call() {
    t_heap->calls_to_tick = 0;
    come_back_soon(t_heap);
  }
  // So much is freed that there is a burst.
  static void free_large_blocks() {
    std::vector<void *> blocks;
    for (int i = 0; i < 16; ++i) blocks.push_back(hakmem_malloc(kMiB));
    for (void *block : blocks) {
      *static_cast<unsigned char *>(block) = 1;
      hakmem_free(block);
    }
  }
  // Of the blocks that were freed, the per cent whose page is resident.
  size_t resident_percent() const {
    size_t resident = 0;
    for (unsigned char *block : freed_) {
      unsigned char page = 0;
      if (mincore(block, kOsPageBytes, &page) == 0) resident += page & 1;
    }
    return resident * 100 / freed_.size();
  }

  test::FakeKernel kernel_;
  std::vector<unsigned char *> kept_, freed_;
};

TEST_F(Ageing, PagesBetweenBlocksGoBackHoweverManyThereAre) {
  scatter(100'000);
  free_large_blocks();
  pass_ages(80);
  EXPECT_LT(resident_percent(), 10u);
}

TEST_F(Ageing, SoDoThoseOfAThreadThatHasEnded) {
  std::thread([&] { scatter(20'000); }).join();
  pass_ages(24);
  EXPECT_LT(resident_percent(), 10u);
}

// Others free what it has left behind, long after all that had been free there went back.
TEST_F(Ageing, OrThatHadEndedLongBefore) {
  std::thread([&] { allocate(20'000); }).join();
  pass_ages(24);
  for (unsigned char *block : freed_) hakmem_free(block);
  pass_ages(24);
  EXPECT_LT(resident_percent(), 10u);
}

// Of each class a heap keeps one slab that is empty, as long as its thread may need it.
TEST_F(Ageing, NorDoesAnEndedThreadsHeapKeepEmptySlabs) {
  std::thread([&] {
    for (size_t pages = 1; pages <= kMaxSmallBytes / kOsPageBytes; ++pages) {
      freed_.push_back(static_cast<unsigned char *>(hakmem_malloc(pages * kOsPageBytes)));
      *freed_.back() = 1;
    }
  }).join();
  pass_ages(24);
  for (unsigned char *block : freed_) hakmem_free(block);
  pass_ages(24);
  EXPECT_EQ(resident_percent(), 0u);
}

TEST_F(Ageing, AndThoseOfAThreadThatWaitsForWork) {
  std::binary_semaphore done{0}, may_end{0};
  std::thread other([&] {
    scatter(20'000);
    hakmem_purge(HAKMEM_PURGE_THREAD);  // its magazines are its own
    done.release();
    may_end.acquire();
  });
  done.acquire();
  free_large_blocks();
  pass_ages(16);
  EXPECT_LT(resident_percent(), 10u);
  may_end.release();
  other.join();
}

// What is freed there by others, one time and another, is no burst of anybody's who is at work.
TEST_F(Ageing, WithoutABurstToo) {
  std::binary_semaphore done{0}, may_end{0};
  std::thread other([&] {
    allocate(40'000);
    done.release();
    may_end.acquire();
  });
  done.acquire();
  std::vector<unsigned char *> later(freed_.begin() + 10'000, freed_.end());
  freed_.resize(10'000);
  for (unsigned char *block : freed_) hakmem_free(block);
  pass_ages(40);
  EXPECT_LT(resident_percent(), 10u);
  freed_ = later;
  for (unsigned char *block : freed_) hakmem_free(block);
  pass_ages(24);
  EXPECT_LT(resident_percent(), 10u) << "of what was freed later";
  may_end.release();
  other.join();
}

// No slab is free, so no memory waits to go back as far as the page heap knows.
TEST_F(Ageing, MuchThatComesBackToSlabsInUseIsABurst) {
  scatter(20'000);
  pass_ages(16);
  EXPECT_LT(resident_percent(), 10u);
}

// A large heap goes up and down by more all the time; a sixteenth of it is much.
TEST_F(Ageing, MuchIsAShareOfALargeHeapToo) {
  while (t_heap->pool.carved_bytes() < 512 * kMiB) {
    auto *block = static_cast<unsigned char *>(hakmem_malloc(kOsPageBytes));
    (freed_.size() < kept_.size() ? freed_ : kept_).push_back(block);
  }
  t_heap->least_free_bytes = t_heap->pool.free_bytes();
  free_to_slabs(24 * kMiB);
  EXPECT_FALSE(page_heap::backlog());
  EXPECT_GE(t_heap->calm_ages, 1000u) << "24 MiB of 512 are no burst";
  free_to_slabs(16 * kMiB);
  EXPECT_FALSE(page_heap::backlog());
  EXPECT_EQ(t_heap->calm_ages, 0u) << "40 MiB of 512 are one";
  for (unsigned char *block : freed_) hakmem_free(block);
}

// Its owner waits meanwhile, and the other thread makes no other slow call.
TEST_F(Ageing, WhatAnotherThreadFreesGoesBackWhileItDoes) {
  std::vector<void *> blocks;
  for (size_t i = 0; i < 64 * kKiB; ++i) blocks.push_back(hakmem_malloc(kKiB));
  const uint64_t discards = kernel_.discards();
  std::thread([&] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      hakmem_free(blocks[i]);
      if (i % 1000 == 0) kernel_.advance_ms(10);
    }
  }).join();
  EXPECT_GT(kernel_.discards(), discards);
}

// A server with little to do: none of the classes that were busy last is used again.
TEST_F(Ageing, AProgramOfFewCallsComesBackWhateverItFrees) {
  for (size_t size = 16; size <= 1000; size += 16) hakmem_free(hakmem_malloc(size));
  free_large_blocks();
  ASSERT_TRUE(page_heap::backlog());
  for (int i = 0; i < 100; ++i) {
    kernel_.advance_ms(100);
    hakmem_free(hakmem_malloc(1000));
  }
  EXPECT_FALSE(page_heap::backlog());
}

}  // namespace
}  // namespace hakmem
