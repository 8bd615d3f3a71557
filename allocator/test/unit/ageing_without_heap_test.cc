// ageing_without_heap_test.cc - free pages go back with time where threads have no heap: in checked
// mode, and in the hardened variant.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <thread>
#include <vector>

#include "cache/heap.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "pass_time.h"

namespace hakmem {
namespace {

class AgeingWithoutHeap : public testing::Test {
 protected:
  AgeingWithoutHeap() { hakmem_configure("HAKMEM_CHECK", "1"); }
  ~AgeingWithoutHeap() override { hakmem_configure("HAKMEM_CHECK", "0"); }

  // Long after the last burst every second of so many blocks is freed, in a thread of its own: no
  // slab becomes free. Returns the per cent of those whose page is resident after so many ages.
  size_t resident_percent(size_t blocks, int ages) {
    size_t percent = 0;
    std::thread([&] {
      hakmem_purge(HAKMEM_PURGE_ALL);
      pass_ages(2 * kBurstAges);
      const std::vector<void *> kept = scatter(blocks);
      pass_ages(ages);
      percent = count_resident() * 100 / freed_.size();
      EXPECT_EQ(t_heap, empty_heap());
      for (void *block : kept) hakmem_free(block);
      hakmem_purge(HAKMEM_PURGE_ALL);
    }).join();
    return percent;
  }

 private:
  // A page each, in the hardened variant too.
  static constexpr size_t kBlockBytes = kOsPageBytes - 8;

  // The program goes on with a few blocks of another class.
  void pass_ages(int ages) {
    for (int age = 0; age < ages; ++age) {
      test::pass_ms(&kernel_, 130);
      for (int call = 0; call < 200; ++call) hakmem_free(hakmem_malloc(3000));
    }
  }
  std::vector<void *> scatter(size_t blocks) {
    std::vector<void *> kept;
    for (size_t i = 0; i < blocks; ++i) {
      void *block = hakmem_malloc(kBlockBytes);
      *static_cast<volatile char *>(block) = 1;
      (i % 2 == 0 ? kept : freed_).push_back(block);
    }
    for (void *block : freed_) hakmem_free(block);
    return kept;
  }
  size_t count_resident() const {
    size_t resident = 0;
    for (void *block : freed_) {
      unsigned char page = 0;
      if (mincore(block, kOsPageBytes, &page) == 0) resident += page & 1;
    }
    return resident;
  }

  test::FakeKernel kernel_;
  std::vector<void *> freed_;
};

TEST_F(AgeingWithoutHeap, MuchThatComesBackToSlabsInUseIsABurst) {
  EXPECT_LT(resident_percent(12'000, kBurstAges), 10u);
}

TEST_F(AgeingWithoutHeap, PagesBetweenBlocksGoBackHoweverManyThereAre) {
  EXPECT_LT(resident_percent(80'000, 3 * kBurstAges), 10u);
}

}  // namespace
}  // namespace hakmem
