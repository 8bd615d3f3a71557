// record_test.cc - hakbench record on a program whose calls are known.
#include <map>
#include <set>

#include "model/error.h"
#include "run_fixture.h"
#include "trace/reader.h"
#include "trace/recorded_program.h"

namespace hakbench {
namespace {

using trace::Op;
using trace::OpKind;
using trace::Reader;
using namespace trace_test;

std::vector<Op> read_ops(const std::string &path) {
  Reader reader(path);
  std::vector<Op> ops;
  for (Op op; reader.next(&op);) ops.push_back(op);
  return ops;
}

uint64_t births(const std::vector<Op> &ops, size_t bytes) {
  return static_cast<uint64_t>(std::count_if(ops.begin(), ops.end(), [&](const Op &op) {
    return op.kind < OpKind::kFree && op.size == bytes;
  }));
}

class RecordTest : public RunTest {
 protected:
  Outcome record(const std::string &mode) {
    return run({"record", "-o", trace_, "--", RECORDED_PROGRAM, mode});
  }
  std::vector<Op> record_ops(const std::string &mode) {
    const Outcome outcome = record(mode);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    return read_ops(trace_);
  }
  void expect_replay_holds_the_same(const std::string &path) {
    const Outcome outcome = run({"trace", "verify", path});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  }
  // The traces beside the command's own.
  std::vector<std::string> other_traces() const {
    std::vector<std::string> paths;
    for (const auto &entry : fs::directory_iterator(folder_)) {
      const std::string path = entry.path().string();
      if (entry.path().extension() == ".trace" && path != trace_) paths.push_back(path);
    }
    return paths;
  }
  // Nothing but traces and the outputs is left.
  void expect_no_raw_files() const {
    for (const auto &entry : fs::directory_iterator(folder_))
      EXPECT_EQ(entry.path().string().find(".raw"), std::string::npos) << entry.path();
  }

  // Every call of every thread, in its order, and each block freed once, after its birth.
  void expect_threads_calls(const std::vector<Op> &ops) {
    std::map<uint32_t, std::vector<uint64_t>> sizes;  // by thread: births and resizings
    std::map<uint64_t, uint64_t> live;                // by block
    uint64_t remote_frees = 0;
    std::map<uint64_t, uint32_t> parent;
    for (const Op &op : ops) {
      if (std::max(op.size, op.old_size) < kMarkBytes || op.size >= kEarlyBytes) continue;
      if (op.kind == OpKind::kFree) {
        EXPECT_EQ(live.erase(op.block), 1u);
        remote_frees += parent[op.block] == op.thread ? 0 : 1;
        continue;
      }
      sizes[op.thread].push_back(op.size);
      live[op.block] = op.size;
      parent.emplace(op.block, op.thread);
    }
    EXPECT_TRUE(live.empty());
    EXPECT_EQ(remote_frees, static_cast<uint64_t>(kThreads) * kRounds);
    std::set<std::vector<uint64_t>> expected;
    for (int thread = 0; thread < kThreads; ++thread) {
      std::vector<uint64_t> calls;
      for (int round = 0; round < kRounds; ++round) {
        calls.push_back(born_bytes(thread, round));
        if (is_resized(round)) calls.push_back(resized_bytes(thread, round));
      }
      expected.insert(calls);
    }
    std::set<std::vector<uint64_t>> found;
    for (const auto &[thread, calls] : sizes) found.insert(calls);
    EXPECT_EQ(found, expected);
  }

  const std::string trace_ = folder_ + "/app.trace";
};

TEST_F(RecordTest, ThreadsCallsAreTheProgramsOwn) {
  expect_threads_calls(record_ops("threads"));
  expect_replay_holds_the_same(trace_);
  expect_no_raw_files();
  EXPECT_TRUE(other_traces().empty());
}

TEST_F(RecordTest, AProgramThatClosesEveryFileIsRecorded) {
  expect_threads_calls(record_ops("closes"));
}

TEST_F(RecordTest, TheWholeFamilyIsRecorded) {
  const std::vector<Op> ops = record_ops("family");
  const std::vector<std::pair<OpKind, uint8_t>> expected = {
      {OpKind::kMalloc, 0},   {OpKind::kCalloc, 0},   {OpKind::kAligned, 6}, {OpKind::kAligned, 8},
      {OpKind::kAligned, 10}, {OpKind::kAligned, 12}, {OpKind::kMalloc, 0},  {OpKind::kMalloc, 0}};
  std::vector<std::pair<OpKind, uint8_t>> found;
  uint64_t frees = 0;
  for (const Op &op : ops) {
    if (op.kind < OpKind::kFree && op.size == kFamilyBytes + found.size())
      found.emplace_back(op.kind, op.log2_alignment);
    if (op.kind == OpKind::kFree && op.old_size >= kFamilyBytes) ++frees;
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(frees, expected.size());
}

TEST_F(RecordTest, CallsBeforeMainAreRecorded) {
  EXPECT_EQ(births(record_ops("nothing"), kEarlyBytes), 1u);
}

TEST_F(RecordTest, NothingIsLostHoweverTheProgramEnds) {
  for (const char *mode : {"_exit", "abort", "killed"}) {
    const Outcome outcome = record(mode);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    EXPECT_EQ(births(read_ops(trace_), kEarlyBytes), 1u) << mode;
    expect_replay_holds_the_same(trace_);
    EXPECT_EQ(outcome.error.find("warning") != std::string::npos, std::string(mode) != "_exit");
  }
}

TEST_F(RecordTest, AForkedChildHasATraceOfItsOwn) {
  const std::vector<Op> ops = record_ops("fork");
  EXPECT_EQ(births(ops, kMarkBytes), 1u);
  EXPECT_EQ(births(ops, kAfterForkBytes), 0u);
  ASSERT_EQ(other_traces().size(), 1u);
  const std::string child = other_traces().front();
  EXPECT_EQ(births(read_ops(child), kAfterForkBytes), 1u);
  EXPECT_EQ(births(read_ops(child), kMarkBytes), 0u);
  EXPECT_GE(Reader(child).header().unknown_frees, 1u);
  expect_replay_holds_the_same(trace_);
  expect_replay_holds_the_same(child);
}

TEST_F(RecordTest, AProgramExecutedInPlaceHasATraceOfItsOwn) {
  EXPECT_EQ(births(record_ops("exec"), kEarlyBytes), 1u);
  ASSERT_EQ(other_traces().size(), 1u);
  EXPECT_NE(other_traces().front().find(".1.trace"), std::string::npos);
  EXPECT_EQ(births(read_ops(other_traces().front()), kEarlyBytes), 1u);
}

TEST_F(RecordTest, WhatCannotBeRecordedIsSaid) {
  const Outcome outcome = run({"record", "-o", trace_, "--", "no-such-program"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.error,
            "hakbench: error: cannot execute no-such-program: No such file or directory; name a "
            "program and its arguments\n");
  expect_refused({"record", "-o", folder_ + "/no/app.trace", "--", "true"}, "cannot write beside");
}

TEST_F(RecordTest, ReplayMeasuresTheTraceInWholePasses) {
  record_ops("threads");
  const Outcome outcome = run({"replay", trace_, "-a", "floor", "--epoch", "5ms", "--epochs", "2",
                               "--launches", "1", "--prefault", "0", "--no-report", "-o", result_});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(manifest()["workload"]["file"], trace_);
  for (const Row &epoch : epochs()) {
    EXPECT_EQ(epoch.at("workload"), "trace");
    EXPECT_EQ(epoch.at("failed_allocs"), "0");
    EXPECT_EQ(epoch.at("live_bytes"), "0") << "an epoch ends where a pass ends";
  }
}

TEST_F(RecordTest, AProfileNamesItsTraceFromItsOwnFolder) {
  record_ops("threads");
  const std::string profile = folder_ + "/p.json";
  std::ofstream(profile) << R"({"workload": {"name": "trace", "file": "app.trace"},
                                "run": {"ops": 1000, "launches": 1, "blocks": 2}})";
  const Outcome outcome = run({"run", "-a", "floor", "-p", profile, "--no-report", "-o", result_});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(epochs().back().at("workload"), "trace");
}

TEST_F(RecordTest, AWorkloadGetsTheFileItNeedsAndNoOther) {
  const std::string foreign = folder_ + "/foreign.trace";
  std::ofstream(foreign) << "hello";
  const std::vector<std::string> rest = {"--no-report", "-o", result_};
  const auto with = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"run", "-a", "floor"});
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return arguments;
  };
  expect_refused(with({"-w", "trace"}), "workload trace: it needs a file");
  expect_refused(with({"-w", "larson", "--trace", foreign}), "workload larson: it reads no file");
  expect_refused(with({"--trace", foreign}), "is no trace");
  expect_refused({"trace", "info", foreign}, "is no trace");
  expect_refused({"trace", "verify", folder_ + "/none"}, "cannot be read");
}

}  // namespace
}  // namespace hakbench
