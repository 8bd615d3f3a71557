// observe_test.cc - the observe build counts each malloc and free by its class.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "cache/heap_registry.h"
#include "hakmem/hakmem.h"
#include "observe/census.h"

namespace hakmem {
namespace {

heap_registry::ClassTotals totals_of(size_t bytes) {
  return heap_registry::class_totals(class_of(bytes));
}

observe::ClassCensus census_of(size_t bytes) { return observe::count().classes[class_of(bytes)]; }

std::string stats() {
  std::string text(1 << 16, '\0');
  text.resize(hakmem_stats_json(text.data(), text.size()));
  return text;
}

// Each test has a class that nothing else here uses, far from those that could lend it blocks.

TEST(Observe, CountsEveryMallocAndFreeOfAClass) {
  constexpr size_t kBytes = 960;
  constexpr size_t kBlocks = 1000, kFreed = 700;  // more than a magazine holds
  ASSERT_EQ(stats().find("\"960\""), std::string::npos) << stats();
  std::vector<void *> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(hakmem_malloc(kBytes));
  for (size_t i = 0; i < kFreed; ++i) hakmem_free(blocks[i]);
  EXPECT_NE(stats().find(R"("960":{"allocs":1000,"frees":700,"hits":)"), std::string::npos)
      << stats();
  EXPECT_EQ(census_of(kBytes).blocks_held(), kBlocks - kFreed);
  for (size_t i = kFreed; i < kBlocks; ++i) hakmem_free(blocks[i]);
  EXPECT_EQ(census_of(kBytes).blocks_held(), 0u);
}

TEST(Observe, TellsHitsFromRefillsAndFlushes) {
  constexpr size_t kBytes = 640;
  hakmem_free(hakmem_malloc(kBytes));
  EXPECT_EQ(totals_of(kBytes).hits, 0u);
  EXPECT_EQ(totals_of(kBytes).refills, 1u);
  for (int i = 0; i < 10; ++i) hakmem_free(hakmem_malloc(kBytes));
  EXPECT_EQ(totals_of(kBytes).hits, 10u);
  EXPECT_EQ(totals_of(kBytes).refills, 1u);
  EXPECT_EQ(totals_of(kBytes).frees, 11u);

  const size_t room = magazine_blocks(class_of(kBytes));
  std::vector<void *> blocks;
  for (size_t i = 0; i <= room; ++i) blocks.push_back(hakmem_malloc(kBytes));
  const uint64_t flushes = totals_of(kBytes).flushes;
  drain(t_heap);
  for (size_t i = 0; i < room; ++i) hakmem_free(blocks[i]);
  EXPECT_EQ(totals_of(kBytes).flushes, flushes) << "the magazine is just full";
  hakmem_free(blocks[room]);
  EXPECT_EQ(totals_of(kBytes).flushes, flushes + 1);
}

TEST(Observe, CountsTheBlockThatALargerClassLent) {
  // One block of the larger class waits in its magazine; the smaller class has none.
  constexpr struct { size_t asked, lender; } kLoans[] = {{320, 352}, {2560, 2816}, {20480, 22528}};
  for (const auto &[asked, lender] : kLoans) {
    hakmem_free(hakmem_malloc(lender));
    void *block = hakmem_malloc(asked);
    ASSERT_EQ(hakmem_usable_size(block), lender) << "it was to be lent";
    EXPECT_EQ(totals_of(lender).allocs() - totals_of(lender).frees, 1u);
    EXPECT_EQ(totals_of(asked).allocs(), 0u);
    hakmem_free(block);
    EXPECT_EQ(totals_of(lender).allocs() - totals_of(lender).frees, 0u);
  }
}

TEST(Observe, CountsFreesByOtherThreadsApart) {
  constexpr size_t kBytes = 416;
  constexpr size_t kBlocks = 200, kRemote = 150;  // more than the bin for them holds
  std::vector<void *> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(hakmem_malloc(kBytes));
  std::thread([&] {
    hakmem_free(hakmem_malloc(1));  // a thread that only frees has no heap at first
    for (size_t i = 0; i < kRemote; ++i) hakmem_free(blocks[i]);
    EXPECT_EQ(totals_of(kBytes).remote_frees, kRemote);
  }).join();
  EXPECT_EQ(totals_of(kBytes).frees, 0u);
  EXPECT_EQ(census_of(kBytes).blocks_held(), kBlocks - kRemote);
  for (size_t i = kRemote; i < kBlocks; ++i) hakmem_free(blocks[i]);
  EXPECT_EQ(totals_of(kBytes).frees, kBlocks - kRemote);
}

// As the C library frees for threads that end.
TEST(Observe, CountsFreesByThreadsWithoutAHeap) {
  constexpr size_t kBytes = 512, kBlocks = 8;
  std::vector<void *> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(hakmem_malloc(kBytes));
  std::thread([&] {
    for (void *block : blocks) hakmem_free(block);
  }).join();
  EXPECT_EQ(totals_of(kBytes).remote_frees, kBlocks);
  EXPECT_EQ(census_of(kBytes).blocks_held(), 0u);
}

TEST(Observe, CountsSlabsByState) {
  constexpr size_t kBytes = 208;
  const size_t capacity = kClassInfo[class_of(kBytes)].capacity;
  void *const bare = hakmem_malloc(kBytes);
  observe::ClassCensus now = census_of(kBytes);
  EXPECT_EQ(now.slabs(), 1u);
  EXPECT_EQ(now.partial_slabs, 1u);
  EXPECT_EQ(now.blocks_out + now.blocks_free + now.blocks_new, capacity);
  std::vector<void *> blocks;
  for (size_t i = 0; i < 4 * capacity; ++i) blocks.push_back(hakmem_malloc(kBytes));
  now = census_of(kBytes);
  EXPECT_GE(now.full_slabs, 4u);
  EXPECT_EQ(now.blocks_held(), 4 * capacity + 1);
  for (void *block : blocks) hakmem_free(block);
  hakmem_free(bare);
  hakmem_purge(HAKMEM_PURGE_THREAD);
  EXPECT_EQ(census_of(kBytes).slabs(), 0u);
}

TEST(Observe, SaysSo) {
  EXPECT_NE(std::string(hakmem_version()).find("observe"), std::string::npos);
}

}  // namespace
}  // namespace hakmem
