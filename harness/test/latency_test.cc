// Service times: the buckets, the probe around a table, and ticks turned into ns.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <thread>

#include "coordinator/service_time.h"
#include "subject/latency_buckets.h"
#include "subject/latency_clock.h"
#include "subject/latency_probe.h"

namespace hakbench {
namespace {

TEST(LatencyBuckets, EveryBucketHoldsItsOwnTicksAndTouchesTheNext) {
  uint64_t expected_low = 0;
  for (uint32_t i = 0; i < kLatencyBuckets; ++i) {
    ASSERT_EQ(bucket_low(i), expected_low) << i;
    const uint64_t last = bucket_low(i) + (bucket_width(i) - 1);
    ASSERT_EQ(latency_bucket(bucket_low(i)), i);
    ASSERT_EQ(latency_bucket(last), i);
    expected_low = last + 1;  // 0 after the last bucket, which ends with the last number
  }
  EXPECT_EQ(expected_low, 0u);
}

TEST(LatencyBuckets, AreExactBelow64AndNoWiderThanA32thAbove) {
  for (uint64_t ticks = 0; ticks < 64; ++ticks) {
    EXPECT_EQ(latency_bucket(ticks), ticks);
    EXPECT_EQ(bucket_width(latency_bucket(ticks)), 1u);
  }
  for (uint32_t i = 64; i < kLatencyBuckets; ++i)
    ASSERT_LE(bucket_width(i), bucket_low(i) / 32) << i;
}

TEST(ServiceTime, TicksBecomeNsAndEmptyBucketsAreLeftOut) {
  auto result = std::make_unique<LatencyResult>();
  result->end.ticks = 2'500'000'100;  // 2.5 ticks per ns, and a reading that came a little late
  result->end.monotonic_ns = 1'000'000'000;
  LatencyCounts &counts = result->record.counts;
  counts.counts[static_cast<uint32_t>(TimedOp::kFree)][10] = 3;
  counts.counts[static_cast<uint32_t>(TimedOp::kTimer)][latency_bucket(1'000'000)] = 1;
  const std::vector<LatencyBucket> buckets = latency_buckets(*result);
  ASSERT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets[0].op, "free");
  EXPECT_EQ(buckets[0].low_ns, 4.0);
  EXPECT_EQ(buckets[0].high_ns, 4.4);
  EXPECT_EQ(buckets[0].count, 3);
  EXPECT_EQ(buckets[1].op, "timer");
  EXPECT_LE(buckets[1].low_ns, 400'000);
  EXPECT_GT(buckets[1].high_ns, 400'000);
}

// The allocator under the probe: no memory, only calls.
int thread_ends = 0;
char some_block[64];
void *fake_malloc(size_t) { return some_block; }
void *slow_malloc(size_t) {
  const uint64_t start_ns = read_monotonic_ns();
  while (read_monotonic_ns() - start_ns < 200'000) {
  }
  return nullptr;
}
void fake_free(void *) {}
void fake_thread_end() { ++thread_ends; }

allocator_plugin fake_table() {
  allocator_plugin table{};
  table.struct_size = sizeof table;
  table.malloc = &fake_malloc;
  table.free = &fake_free;
  table.thread_end = &fake_thread_end;
  return table;
}

uint64_t total(const LatencyCounts &counts, TimedOp op) {
  uint64_t sum = 0;
  for (const uint64_t count : counts.counts[static_cast<uint32_t>(op)]) sum += count;
  return sum;
}

// The probe's state is one a process.
class LatencyProbe : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(prepare_latency_probe(2)); }
  void SetUp() override { collect_latency(record_.get()); }
  void TearDown() override { wrap_timed(fake_table()).thread_end(); }  // gives the histogram back
  std::unique_ptr<LatencyRecord> record_ = std::make_unique<LatencyRecord>();
  const LatencyCounts &counts_ = record_->counts;
};

TEST_F(LatencyProbe, CountsEachCallAndKeepsWhatIsNotOffered) {
  const allocator_plugin &timed = wrap_timed(fake_table());
  EXPECT_EQ(timed.calloc, nullptr);
  EXPECT_EQ(timed.realloc, nullptr);
  EXPECT_EQ(timed.aligned_alloc, nullptr);
  EXPECT_EQ(timed.free_sized, nullptr);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(timed.malloc(8), some_block);
  for (int i = 0; i < 60; ++i) timed.free(some_block);
  collect_latency(record_.get());
  EXPECT_EQ(total(counts_, TimedOp::kMalloc), 100u);
  EXPECT_EQ(total(counts_, TimedOp::kFree), 60u);
  EXPECT_EQ(total(counts_, TimedOp::kTimer), 10u) << "one for 16 calls";
  EXPECT_EQ(total(counts_, TimedOp::kCalloc), 0u);
  collect_latency(record_.get());
  EXPECT_EQ(total(counts_, TimedOp::kMalloc), 0u) << "collecting empties";
}

TEST_F(LatencyProbe, ThreadsOneAfterTheOtherShareTheHistograms) {
  const allocator_plugin &timed = wrap_timed(fake_table());
  thread_ends = 0;
  const auto live = [&] {
    timed.free(timed.malloc(8));
    timed.thread_end();
  };
  for (int i = 0; i < 50; ++i) std::thread(live).join();
  collect_latency(record_.get());
  EXPECT_EQ(total(counts_, TimedOp::kMalloc), 50u);
  EXPECT_EQ(thread_ends, 50) << "the allocator's own thread_end is called too";
}

TEST_F(LatencyProbe, MoreThreadsAtOnceThanWorkersAreRefused) {
  const auto take_three = [] {
    const allocator_plugin &timed = wrap_timed(fake_table());
    for (int i = 0; i < 3; ++i) std::thread([&] { timed.malloc(8); }).join();  // no thread_end
  };
  EXPECT_DEATH(take_three(), "more threads call the allocator at once than there are workers");
}

TEST_F(LatencyProbe, AnOperationOf200MicrosecondsIsFoundThere) {
  allocator_plugin slow = fake_table();
  slow.malloc = &slow_malloc;
  const allocator_plugin &timed = wrap_timed(slow);
  auto result = std::make_unique<LatencyResult>();
  result->start = read_clock_pair();
  for (int i = 0; i < 100; ++i) timed.malloc(8);
  result->end = read_clock_pair();
  collect_latency(&result->record);
  int64_t mallocs = 0;
  for (const LatencyBucket &bucket : latency_buckets(*result)) {
    if (bucket.op != "malloc") continue;
    mallocs += bucket.count;
    EXPECT_GT(bucket.high_ns, 199'000) << "it spins for 200,000 ns by the other clock";
  }
  EXPECT_EQ(mallocs, 100);
}

// calloc and free_sized of these are slow, the others are not.
void *slow_calloc(size_t, size_t size) { return slow_malloc(size); }
void slow_free_sized(void *, size_t size) { slow_malloc(size); }

TEST_F(LatencyProbe, SlowestOperationsAreKeptWithTheirSizesAndThreads) {
  allocator_plugin table = fake_table();
  table.calloc = &slow_calloc;
  table.free_sized = &slow_free_sized;
  const allocator_plugin &timed = wrap_timed(table);
  name_timed_worker(1);
  for (int i = 0; i < 1000; ++i) timed.free(timed.malloc(8));
  for (int i = 0; i < 6; ++i) timed.calloc(3, 100);
  std::thread([&] {
    timed.free_sized(some_block, 48);
    timed.calloc(SIZE_MAX, 2);
    timed.thread_end();
  }).join();
  collect_latency(record_.get());
  const SlowestOps slowest = record_->slowest;
  ASSERT_EQ(slowest.count, kSlowestOps) << "of both threads";
  std::map<uint64_t, int> sizes;
  for (const SlowOp &op : slowest.ops) {
    EXPECT_GT(op.ticks, slowest.threshold_ticks - 1);
    const bool sized_free = op.op == static_cast<uint32_t>(TimedOp::kFree);
    EXPECT_TRUE(sized_free || op.op == static_cast<uint32_t>(TimedOp::kCalloc));
    EXPECT_EQ(op.worker, op.size_bytes == 300 ? 1 : kNoWorker);
    EXPECT_EQ(op.tid == gettid(), op.size_bytes == 300);
    EXPECT_GT(op.tid, 0);
    ++sizes[op.size_bytes];
  }
  EXPECT_EQ(sizes, (std::map<uint64_t, int>{{48, 1}, {300, 6}, {kSizeUnknown, 1}}));
  collect_latency(record_.get());
  EXPECT_EQ(record_->slowest.count, 0u) << "collecting empties";
  timed.malloc(8);
  collect_latency(record_.get());
  EXPECT_EQ(record_->slowest.count, 1u) << "and lets the threshold down";
}

}  // namespace
}  // namespace hakbench
