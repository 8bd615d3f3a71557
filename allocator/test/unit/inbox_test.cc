// inbox_test.cc - blocks that other threads free come back to the heap they are of.
#include "slab/inbox.h"

#include <gtest/gtest.h>

#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "cache/heap.h"
#include "cache/heap_registry.h"
#include "hakmem/hakmem.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

class InboxTest : public testing::Test {
 protected:
  InboxTest() {
    inbox_.set_storage(storage_);
    for (size_t i = 0; i < Inbox::kBlocks; ++i) blocks_[i] = &storage_[i];
  }

  Inbox inbox_;
  void *storage_[Inbox::kBlocks] = {};
  void *blocks_[Inbox::kBlocks];
};

TEST_F(InboxTest, TakesNothingWhileItIsClosed) {
  EXPECT_FALSE(inbox_.deposit(blocks_, 1));
  inbox_.set_open(true);
  EXPECT_TRUE(inbox_.deposit(blocks_, 1));
  inbox_.set_open(false);
  EXPECT_FALSE(inbox_.deposit(blocks_, 1));
  EXPECT_TRUE(inbox_.has_mail()) << "what came before stays";
}

TEST_F(InboxTest, TakesAllOfABatchOrNothing) {
  inbox_.set_open(true);
  EXPECT_TRUE(inbox_.deposit(blocks_, Inbox::kBlocks - 1));
  EXPECT_FALSE(inbox_.deposit(blocks_, 2));
  EXPECT_TRUE(inbox_.deposit(blocks_, 1));
  EXPECT_FALSE(inbox_.deposit(blocks_, 1));
}

TEST_F(InboxTest, GivesOutEachBlockOnce) {
  inbox_.set_open(true);
  ASSERT_TRUE(inbox_.deposit(blocks_, 100));
  std::set<void *> got;
  void *out[30];
  while (const size_t n = inbox_.collect(out, 30)) {
    for (size_t i = 0; i < n; ++i) EXPECT_TRUE(got.insert(out[i]).second);
  }
  EXPECT_EQ(got, std::set<void *>(blocks_, blocks_ + 100));
  EXPECT_FALSE(inbox_.has_mail());
}

// Sizes of many classes, so that one batch holds them mixed.
std::vector<void *> allocate_mixed(size_t count) {
  std::vector<void *> blocks;
  for (size_t i = 0; i < count; ++i) blocks.push_back(hakmem_malloc(16 + i * 37 % 1000));
  return blocks;
}

TEST(RemoteFrees, GoThroughTheOwnersInbox) {
  const std::vector<void *> blocks = allocate_mixed(150);
  std::thread([&] {
    hakmem_free(hakmem_malloc(1));  // a thread that only frees has no heap at first
    for (void *block : blocks) hakmem_free(block);
  }).join();
  const uint64_t before = heap_registry::totals().mail_blocks;
  for (void *block : allocate_mixed(5000)) hakmem_free(block);
  EXPECT_EQ(heap_registry::totals().mail_blocks - before, blocks.size());
}

// No malloc of ours is needed: threads that free each other's blocks keep step.
TEST(RemoteFrees, ComeInWhenOursGoOut) {
  // Nothing is watched: the bursts of other tests are long ago.
  hakmem_free(hakmem_malloc(1));
  page_heap::purge_all();
  t_heap->calm_ages = 1000;
  const std::vector<void *> ours = allocate_mixed(150);
  std::vector<void *> theirs;
  std::thread([&] {
    theirs = allocate_mixed(150);
    for (void *block : ours) hakmem_free(block);
  }).join();
  const uint64_t before = heap_registry::totals().mail_blocks;
  for (void *block : theirs) hakmem_free(block);
  EXPECT_EQ(heap_registry::totals().mail_blocks - before, ours.size());
}

TEST(RemoteFrees, OfSeveralHeapsInOneBatchGoHome) {
  constexpr size_t kHeaps = 3;
  std::vector<void *> blocks[kHeaps];
  std::barrier side_by_side(kHeaps);  // a heap each
  std::vector<std::thread> threads;
  for (auto &own : blocks) {
    threads.emplace_back([&] {
      own = allocate_mixed(150);
      side_by_side.arrive_and_wait();
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (size_t i = 0; i < 150; ++i) {
    for (auto &own : blocks) hakmem_free(own[i]);
  }
  hakmem_purge(HAKMEM_PURGE_ALL);
  std::set<void *> live;
  for (void *block : allocate_mixed(1000)) EXPECT_TRUE(live.insert(block).second);
  for (void *block : live) hakmem_free(block);
}

TEST(RemoteFrees, OfAThreadThatHasEndedGoIntoItsSlabs) {
  std::vector<void *> blocks;
  std::thread([&] { blocks = allocate_mixed(150); }).join();
  hakmem_purge(HAKMEM_PURGE_THREAD);  // nothing waits for this thread
  const uint64_t before = heap_registry::totals().mail_blocks;
  for (void *block : blocks) hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_THREAD);  // takes home what waits
  std::thread([&] {
    for (void *block : allocate_mixed(5000)) hakmem_free(block);
  }).join();
  EXPECT_EQ(heap_registry::totals().mail_blocks, before);
}

}  // namespace
}  // namespace hakmem
