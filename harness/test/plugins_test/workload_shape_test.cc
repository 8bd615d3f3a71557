// workload_shape_test.cc - do the workloads that promise a share, a distribution or a bound keep it? One
// worker after the other, so that the outcome is the same every time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "workload/workload.h"

namespace hakbench {
namespace {

// Who allocated what, and how it ended.
struct Ledger {
  struct Entry {
    uint32_t owner;
    size_t size;
  };
  uint32_t worker = 0;  // the one that runs
  std::unordered_map<void *, Entry> live;
  std::vector<size_t> sizes;  // of all allocations
  uint64_t frees = 0;
  uint64_t remote_frees = 0;
  uint64_t live_bytes = 0;
  uint64_t peak_live_bytes = 0;
};
Ledger ledger;

void *ledger_malloc(size_t size) {
  void *const block = std::malloc(size);
  ledger.live[block] = {ledger.worker, size};
  ledger.sizes.push_back(size);
  ledger.live_bytes += size;
  ledger.peak_live_bytes = std::max(ledger.peak_live_bytes, ledger.live_bytes);
  return block;
}

void ledger_free(void *block) {
  if (block == nullptr) return;
  const auto entry = ledger.live.find(block);
  ++ledger.frees;
  ledger.remote_frees += entry->second.owner != ledger.worker;
  ledger.live_bytes -= entry->second.size;
  ledger.live.erase(entry);
  std::free(block);
}

// Workers take turns of `ops` each; what is kept in the ledger is that of the second half.
void take_turns(const WorkloadConfig &config, uint64_t ops, int turns) {
  ledger = Ledger{};
  allocator_plugin table{};
  table.malloc = &ledger_malloc;
  table.free = &ledger_free;
  std::string error;
  const auto workload = make_workload(config, &error);
  ASSERT_NE(workload, nullptr) << error;
  for (int turn = 0; turn < turns; ++turn) {
    if (turn == turns / 2) {
      ledger.sizes.clear();
      ledger.frees = ledger.remote_frees = 0;
    }
    for (ledger.worker = 0; ledger.worker < config.threads; ++ledger.worker) {
      workload->run(table, ledger.worker, ops);
    }
  }
  EXPECT_EQ(workload->live_bytes(), ledger.live_bytes);
  const Ledger before_the_end = ledger;
  for (uint32_t t = 0; t < config.threads; ++t) workload->tear_down(table, t);
  EXPECT_EQ(ledger.live.size(), 0u);
  ledger = before_the_end;
}

double remote_share() {
  return static_cast<double>(ledger.remote_frees) / static_cast<double>(ledger.frees);
}

TEST(RemoteMix, FreesTheShareOfOthersBlocksThatItIsTold) {
  for (const uint32_t threads : {2u, 3u, 5u}) {
    take_turns({"remote_mix", threads, 1, {{"remote", 200}}}, 100, 2000);
    EXPECT_NEAR(remote_share(), 0.2, 0.02) << threads;
  }
  take_turns({"remote_mix", 2, 1, {{"remote", 0}}}, 100, 200);
  EXPECT_EQ(ledger.remote_frees, 0u);
}

TEST(RemoteMix, FreesItsOwnWhenNobodyTakes) {
  take_turns({"remote_mix", 2, 1, {{"remote", 1000}}}, 10000, 4);
  EXPECT_GT(ledger.frees - ledger.remote_frees, 1000u);
}

TEST(Xmalloc, FreesMostlyOthersBlocks) {
  take_turns({"xmalloc", 4, 1, {}}, 1000, 300);
  EXPECT_NEAR(remote_share(), 0.75, 0.1);
}

double share_of_sizes(size_t above, size_t up_to) {
  uint64_t in_range = 0;
  for (const size_t size : ledger.sizes) in_range += size > above && size <= up_to;
  return static_cast<double>(in_range) / static_cast<double>(ledger.sizes.size());
}

double share_of_live(size_t above, size_t up_to) {
  uint64_t in_range = 0;
  for (const auto &[block, entry] : ledger.live) {
    in_range += entry.size > above && entry.size <= up_to;
  }
  return static_cast<double>(in_range) / static_cast<double>(ledger.live.size());
}

TEST(Fleet, HasTheSizesAndTheLiveBlocksOfItsSource) {
  take_turns({"fleet", 1, 1, {{"ws", 20000}}}, 500000, 2);
  EXPECT_NEAR(share_of_sizes(16, 64), 0.536, 0.01);
  EXPECT_NEAR(share_of_sizes(64, 1024), 0.305, 0.01);
  EXPECT_NEAR(share_of_sizes(2048, 262144), 0.034, 0.005);
  EXPECT_NEAR(share_of_live(16, 64), 0.530, 0.02);
  EXPECT_NEAR(share_of_live(64, 1024), 0.372, 0.02);
  EXPECT_NEAR(share_of_live(2048, 262144), 0.025, 0.005);
  EXPECT_NEAR(static_cast<double>(ledger.live.size()), 10000, 300);
}

TEST(Fragmentation, FillsItsBudgetAndNeverExceedsIt) {
  take_turns({"fragmentation", 1, 1, {{"mb", 1}}}, 1000, 200);
  EXPECT_LE(ledger.peak_live_bytes, uint64_t{1} << 20);
  EXPECT_GT(ledger.peak_live_bytes, (uint64_t{1} << 20) - 8192);
}

TEST(Fragmentation, LetsOneOfAsManySurviveAsItSays) {
  // 4096 blocks of 256 bytes; one in 512 bytes survives, so 2048 are freed, and 1024 of 512 bytes fit.
  const WorkloadConfig config{
      "fragmentation", 1, 1, {{"mb", 1}, {"min_size", 256}, {"rounds", 2}, {"span", 512}}};
  take_turns(config, 4096 + 2048 + 1024, 1);
  EXPECT_EQ(std::count(ledger.sizes.begin(), ledger.sizes.end(), 256u), 4096);
  EXPECT_EQ(std::count(ledger.sizes.begin(), ledger.sizes.end(), 512u), 1024);
}

TEST(Mstress, KeepsABurstAndSkewsItsSizes) {
  take_turns({"mstress", 2, 1, {{"burst", 1000}}}, 1000, 200);
  EXPECT_LE(ledger.live.size(), 2 * 1000u + 256);
  EXPECT_NEAR(share_of_sizes(512, 1 << 20), 1.0 / 64, 0.005);
}

}  // namespace
}  // namespace hakbench
