// heap_registry_test.cc - a heap that cannot be had whole.
#include "cache/heap_registry.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>
#include <vector>

#include "fake_kernel.h"
#include "hakmem/hakmem.h"

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
  std::thread([&] {
    kernel.fail_call(1);  // the call after the one that maps
    void *block = hakmem_malloc(100);
    kernel.fail_none();
    ASSERT_NE(block, nullptr);
    ASSERT_NE(t_heap, empty_heap());
    EXPECT_EQ(t_heap->map_mask, 0u);
    hakmem_free(block);
  }).join();
  EXPECT_EQ(heap_registry::totals().heaps, before.heaps + 1);
  may_end.arrive_and_wait();
  for (std::thread &holder : holders) holder.join();
}

}  // namespace
}  // namespace hakmem
