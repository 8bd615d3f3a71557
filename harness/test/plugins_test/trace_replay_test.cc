// trace_replay_test.cc - replaying traces against the recording allocator.
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "trace/reader.h"
#include "trace/writer.h"
#include "workload/recording_allocator.h"
#include "workload/workload.h"

namespace hakbench {
namespace {

using trace::Op;
using trace::OpKind;

class TraceReplay : public testing::Test {
 protected:
  void SetUp() override { reset_recording(); }
  void TearDown() override { unlink(path_.c_str()); }

  // Ops of `threads` threads, most frees and reallocs by another than the block's last.
  void write_trace(uint32_t threads, size_t ops) {
    std::mt19937 random(3);
    std::vector<Op> live;
    trace::Writer writer(path_);
    uint64_t blocks = 0;
    for (size_t i = 0; i < ops; ++i) {
      const auto thread = static_cast<uint32_t>(random() % threads);
      Op op = {OpKind::kMalloc, 0, thread, 0, random() % 300, 0};
      const auto kind = static_cast<OpKind>(random() % (live.size() < 50 ? 3 : 5));
      op.kind = kind;
      if (kind < OpKind::kFree) {
        op.block = blocks++;
        op.log2_alignment = kind == OpKind::kAligned ? 4 : 0;
        if (kind == OpKind::kAligned) op.size &= ~uint64_t{15};  // replay would round it up
        live.push_back(op);
      } else {
        std::swap(live[random() % live.size()], live.back());
        op.block = live.back().block;
        op.old_size = live.back().size;
        if (kind == OpKind::kFree) op.size = 0;
        live.back().size = op.size;
        if (kind == OpKind::kFree) live.pop_back();
      }
      writer.add(op);
    }
    writer.finish("test", 0, 0);
    pass_ops_ = ops + live.size();
  }

  WorkloadConfig config(uint32_t workers) const {
    return {"trace", workers, 1, {{"touch_kb", 64}}, path_};
  }
  std::unique_ptr<Workload> make(uint32_t workers) const {
    std::string error;
    auto workload = make_workload(config(workers), &error);
    EXPECT_NE(workload, nullptr) << error;
    return workload;
  }

  template <class Method>
  static uint64_t on_all(uint32_t workers, Method method) {
    std::vector<uint64_t> results(workers);
    std::vector<std::thread> threads;
    for (uint32_t worker = 0; worker < workers; ++worker)
      threads.emplace_back([&, worker] { results[worker] = method(worker); });
    for (std::thread &thread : threads) thread.join();
    uint64_t sum = 0;
    for (const uint64_t result : results) sum += result;
    return sum;
  }
  static uint64_t run(Workload *workload, uint32_t workers, uint64_t ops) {
    const allocator_plugin &allocator = recording_allocator();
    return on_all(workers, [&](uint32_t worker) { return workload->run(allocator, worker, ops); });
  }
  static void tear_down(Workload *workload, uint32_t workers) {
    const allocator_plugin &allocator = recording_allocator();
    on_all(workers, [&](uint32_t worker) {
      workload->tear_down(allocator, worker);
      return 0u;
    });
  }

  const std::string path_ = testing::TempDir() + "replay-" + std::to_string(getpid()) + ".trace";
  uint64_t pass_ops_ = 0;
};

TEST_F(TraceReplay, OneWorkerHoldsTheRecordedBytesAfterEveryOp) {
  write_trace(3, 5000);
  const auto workload = make(1);
  trace::Reader reader(path_);
  for (Op op; reader.next(&op);) {
    run(workload.get(), 1, 1);
    ASSERT_EQ(workload->live_bytes(), reader.live_bytes()) << reader.ops_read();
    ASSERT_EQ(recording().live_bytes, reader.live_bytes());
  }
  run(workload.get(), 1, pass_ops_ - reader.ops_read());
  EXPECT_EQ(recording().live_bytes, 0u) << "what is left at the end of a pass is freed";
  EXPECT_EQ(recording().fault, "");
}

TEST_F(TraceReplay, WorkersHandBlocksOverWholeAndInParts) {
  write_trace(7, 5000);
  for (const uint32_t workers : {1u, 2u, 3u, 7u, 12u}) {
    SCOPED_TRACE(workers);
    reset_recording();
    const auto workload = make(workers);
    // As many whole ops of each worker as there are in `workers` passes, in unequal epochs.
    const uint64_t parts[] = {1, pass_ops_ / 3, 77, pass_ops_};
    uint64_t done = 0;
    for (const uint64_t ops : parts) {
      run(workload.get(), workers, ops);
      done += ops;
      EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
    }
    run(workload.get(), workers, 3 * pass_ops_ - done);
    EXPECT_EQ(workload->live_bytes(), 0u);
    EXPECT_EQ(recording().live_bytes, 0u);
    run(workload.get(), workers, 100);
    tear_down(workload.get(), workers);
    EXPECT_EQ(recording().live_bytes, 0u);
    EXPECT_EQ(workload->live_bytes(), 0u);
    run(workload.get(), workers, 100);
    EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
    tear_down(workload.get(), workers);
    EXPECT_EQ(recording().fault, "");
  }
}

TEST_F(TraceReplay, CountsFailedAllocationsAndGoesOn) {
  write_trace(3, 3000);
  constexpr uint64_t kFailEvery = 5;
  for (const uint32_t workers : {1u, 3u}) {
    reset_recording(kFailEvery);
    const auto workload = make(workers);
    const uint64_t failed = run(workload.get(), workers, 2 * pass_ops_);
    EXPECT_EQ(failed, recording().mallocs / kFailEvery);
    EXPECT_EQ(workload->live_bytes(), 0u);
    EXPECT_EQ(recording().live_bytes, 0u);
    EXPECT_EQ(recording().fault, "");
  }
}

TEST_F(TraceReplay, ItsPeriodIsAPassAndItsHashTheFiles) {
  write_trace(2, 1000);
  EXPECT_EQ(workload_period_ops(config(1)), pass_ops_);
  const uint64_t hash = op_stream_hash(config(1), 10);
  EXPECT_NE(hash, 0u);
  write_trace(2, 1001);
  EXPECT_NE(op_stream_hash(config(1), 10), hash);
  EXPECT_EQ(workload_period_ops({"larson", 1, 1, {}}), 0u);
}

TEST_F(TraceReplay, AnEmptyTraceIsRefused) {
  trace::Writer(path_).finish("test", 0, 0);
  std::string error;
  EXPECT_EQ(make_workload(config(1), &error), nullptr);
  EXPECT_EQ(error, "trace " + path_ + " has no calls to replay");
}

}  // namespace
}  // namespace hakbench
