// record_test.cc - hakbench record on a program whose calls are known.
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "run_fixture.h"
#include "trace/raw_events.h"
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

bool comes_true(const std::function<bool()> &condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// It can still be waited for.
bool has_ended(pid_t child) {
  siginfo_t info = {};
  const int options = WEXITED | WNOWAIT | WNOHANG;
  return waitid(P_PID, static_cast<id_t>(child), &info, options) != 0 || info.si_pid != 0;
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
  // The folder of raw events that a recording kept, empty if there is none.
  std::string kept() const {
    for (const auto &entry : fs::directory_iterator(folder_))
      if (entry.path().string().find(".raw.") != std::string::npos) return entry.path().string();
    return "";
  }
  // It failed because of `why`, and says how to go on.
  void expect_kept(const Outcome &outcome, const std::string &why) const {
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.error.find(why), std::string::npos) << outcome.error;
    ASSERT_NE(kept(), "");
    const std::string mend = "hakbench record --merge " + kept() + " -o " + trace_ + "\n";
    EXPECT_NE(outcome.error.find(mend), std::string::npos) << outcome.error;
    EXPECT_FALSE(fs::exists(trace_ + ".part"));
  }
  Outcome merge_kept() { return run({"record", "--merge", kept(), "-o", trace_}); }

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
  const std::string no_name = "--output: the value is empty";
  expect_refused({"record", "-o", "", "--", "true"}, no_name);
  expect_refused({"record", "-o", "", "--merge", folder_}, no_name);
}

TEST_F(RecordTest, AFolderIsNoTraceAndIsRefusedBeforeTheProgramStarts) {
  const std::string traces = folder_ + "/traces";
  const std::string started = folder_ + "/started";
  fs::create_directories(traces);
  expect_refused(
      {"record", "-o", traces, "--", RECORDED_PROGRAM, "mkdir", started},
      "-o " + traces + " is a folder; name a file in it, such as " + traces + "/app.trace");
  EXPECT_FALSE(fs::exists(started));
  expect_no_raw_files();
}

TEST_F(RecordTest, ALibraryThatCannotBePreloadedIsSaid) {
  const std::string library = move_to_odd_tree("libhakbench-record.so");
  expect_refused({"record", "-o", trace_, "--", "true"},
                 "LD_PRELOAD cannot name " + library + ": it has a space or a colon; move");
  expect_no_raw_files();
}

TEST_F(RecordTest, WhatFindsNoRoomIsKeptToBeMergedLater) {
  fs::create_symlink("/dev/full", trace_ + ".part");
  expect_kept(record("threads"), "No space left on device");
  EXPECT_FALSE(fs::exists(trace_));
  const Outcome merged = merge_kept();
  EXPECT_EQ(merged.exit_code, 0) << merged.error;
  expect_threads_calls(read_ops(trace_));
  expect_replay_holds_the_same(trace_);
  expect_no_raw_files();
}

TEST_F(RecordTest, ATraceWhoseNameIsTakenMeanwhileIsKept) {
  expect_kept(run({"record", "-o", trace_, "--", RECORDED_PROGRAM, "mkdir", trace_}),
              "Is a directory");
  expect_refused({"record", "--merge", kept(), "-o", trace_}, "is a folder");
  fs::remove(trace_);
  const Outcome merged = merge_kept();
  EXPECT_EQ(merged.exit_code, 0) << merged.error;
  EXPECT_EQ(births(read_ops(trace_), kEarlyBytes), 1u);
  expect_no_raw_files();
}

TEST_F(RecordTest, AFailureCostsNoOtherProcessItsTraceAndKeepsTheNames) {
  fs::create_symlink("/dev/full", trace_ + ".part");
  expect_kept(record("fork"), "No space left on device");
  ASSERT_EQ(other_traces().size(), 1u) << "the command's could not be written, its child's could";
  EXPECT_EQ(births(read_ops(other_traces().front()), kAfterForkBytes), 1u);
  const std::string damaged = kept() + "/process.1.2.0.raw";
  std::ofstream(damaged) << std::string(2 * sizeof(trace::RawHeader), 'x');
  expect_kept(merge_kept(), "the raw events " + damaged + " cannot be read: it is damaged");
  EXPECT_EQ(births(read_ops(trace_), kMarkBytes), 1u) << "the command's has its name again";
  fs::remove(damaged);
  expect_refused({"record", "--merge", kept(), "-o", trace_}, "holds no raw events");
}

TEST_F(RecordTest, AShortRawFileIsLeftOutWithAWarning) {
  const Outcome outcome = record("short");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  for (const char *process : {"process 1 recorded nothing", "process 2 recorded nothing"})
    EXPECT_NE(outcome.error.find(process), std::string::npos) << outcome.error;
  EXPECT_EQ(births(read_ops(trace_), kMarkBytes), 1u);
  ASSERT_EQ(other_traces().size(), 1u);
  EXPECT_EQ(births(read_ops(other_traces().front()), kAfterForkBytes), 1u);
  expect_no_raw_files();
}

TEST_F(RecordTest, ARawFileWithoutRoomForItsHeaderIsNotLeft) {
  const Outcome outcome = run({"record", "-o", trace_, "--", RECORDED_PROGRAM, "nothing"}, [] {
    rlimit limit = {};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = sizeof(trace::RawHeader) - 1;
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("the trace ends here"), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("made no call that could be recorded"), std::string::npos)
      << outcome.error;
  expect_no_raw_files();
}

// The limit counts as a full disk does; the trace is smaller than the raw events.
TEST_F(RecordTest, ARecordingWithoutRoomLeavesATraceOfItsFirstCalls) {
  const Outcome outcome = run({"record", "-o", trace_, "--", RECORDED_PROGRAM, "cancel"}, [] {
    constexpr rlim_t kBytes = sizeof(trace::RawHeader) + 2 * trace::kChunkBytes;
    const rlimit limit = {kBytes, kBytes};
    signal(SIGXFSZ, SIG_IGN);  // an error then, as on a full disk
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find(".raw: File too large; the trace ends here\n"), std::string::npos)
      << outcome.error;
  const uint64_t calls = Reader(trace_).header().ops;
  EXPECT_GT(calls, trace::kChunkSlots);
  EXPECT_LE(calls, 2 * trace::kChunkSlots);
  const std::string kept = fmt::format(
      "stopped: File too large; {} holds its first {} calls; mend that and record again\n", trace_,
      calls);
  EXPECT_NE(outcome.error.find(kept), std::string::npos) << outcome.error;
  expect_replay_holds_the_same(trace_);
  expect_no_raw_files();
}

// A signal that is caught may end the call that reserves room in the file.
TEST_F(RecordTest, AnInterruptedReservationIsRepeated) {
  const Outcome outcome = run({"record", "-o", trace_, "--", RECORDED_PROGRAM, "threads"},
                              [] { setenv("LD_PRELOAD", INTERRUPTED_FALLOCATE, 1); });
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.error, "");
  expect_threads_calls(read_ops(trace_));
}

TEST_F(RecordTest, OperatorsOfTheAllocatorsOwnAreSaidToBeMissing) {
  const Outcome outcome = run({"record", "-o", trace_, "--", RECORDED_PROGRAM, "family"},
                              [] { setenv("LD_PRELOAD", OWN_OPERATORS, 1); });
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_NE(outcome.error.find("warning: recorded_progra (process "), std::string::npos)
      << outcome.error;
  EXPECT_NE(outcome.error.find("operators new and delete of its own"), std::string::npos);
  EXPECT_EQ(births(read_ops(trace_), kFamilyBytes), 1u) << "what it asked of malloc";
  EXPECT_EQ(births(read_ops(trace_), kFamilyBytes + 7), 0u) << "what it asked of operator new";
}

// As pyenv's python3 does it: the trace of the name that was asked for is the wrapper's.
TEST_F(RecordTest, OfSeveralTracesTheLargestIsNamed) {
  const Outcome outcome =
      run({"record", "-o", trace_, "--", "sh", "-c", "exec " RECORDED_PROGRAM " threads"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  ASSERT_EQ(other_traces().size(), 1u);
  const std::string largest = other_traces().front();
  EXPECT_GT(Reader(largest).header().ops, Reader(trace_).header().ops);
  const std::string line =
      fmt::format("\nthe largest of 2 traces is {}: {} calls of recorded_progra\n", largest,
                  Reader(largest).header().ops);
  EXPECT_TRUE(outcome.out.ends_with(line)) << outcome.out;
  EXPECT_EQ(record("threads").out.find("largest"), std::string::npos) << "one trace";
}

TEST_F(RecordTest, WhatTheCommandExecutedLastIsNamedToo) {
  const Outcome outcome = run({"record", "-o", trace_, "--", "sh", "-c",
                               RECORDED_PROGRAM " threads; exec " RECORDED_PROGRAM " nothing"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  ASSERT_EQ(other_traces().size(), 2u);
  const size_t at = outcome.out.find("\nthe largest of 3 traces is ");
  ASSERT_NE(at, std::string::npos) << outcome.out;
  std::string own;  // app.PID.1.trace
  for (const std::string &path : other_traces())
    if (path.ends_with(".1.trace")) own = path;
  ASSERT_NE(own, "") << outcome.out;
  const std::string line =
      fmt::format("\nthe command's own, in the end, is {}: {} calls of recorded_progra\n", own,
                  Reader(own).header().ops);
  EXPECT_TRUE(outcome.out.ends_with(line)) << outcome.out;
}

TEST_F(RecordTest, OnlyAKeptRecordingCanBeMerged) {
  expect_refused({"record", "-o", trace_}, "name either a program behind --");
  expect_refused({"record", "--merge", folder_, "-o", trace_, "--", "true"}, "name either");
  expect_refused({"record", "--merge", folder_ + "/none", "-o", trace_}, "cannot read");
  expect_refused({"record", "--merge", folder_, "-o", trace_}, "holds no raw events");
  EXPECT_TRUE(fs::exists(folder_));
}

// As `timeout` and a closed terminal do it: more than once, also while the trace is written.
TEST_F(RecordTest, ASignalIsHandedOnAndTheTraceIsWritten) {
  for (const int signal_number : {SIGTERM, SIGHUP}) {
    const std::string ready = folder_ + "/ready-" + std::to_string(signal_number);
    const Outcome outcome = run(
        {"record", "-o", trace_, "--", RECORDED_PROGRAM, "wait", ready},
        [&] { signal(signal_number, SIG_DFL); },
        [&](pid_t child) {
          EXPECT_TRUE(comes_true([&] { return read_file(ready).ends_with('\n'); }));
          for (; !has_ended(child); std::this_thread::sleep_for(std::chrono::milliseconds(1)))
            kill(child, signal_number);
        });
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    const std::string ended = "was killed by signal " + std::to_string(signal_number) + ";";
    EXPECT_NE(outcome.error.find(ended), std::string::npos) << outcome.error;
    EXPECT_NE(kill(std::stoi(read_file(ready)), 0), 0) << "the program lives on";
    EXPECT_EQ(births(read_ops(trace_), kEarlyBytes), 1u);
    expect_no_raw_files();
    fs::remove(trace_);
  }
}

// A pipe in place of the file, smaller than the trace, holds up the writing.
TEST_F(RecordTest, TheSecondInterruptEndsTheWritingAndKeepsTheEvents) {
  const std::string part = trace_ + ".part";
  ASSERT_EQ(mkfifo(part.c_str(), 0600), 0);
  const int fifo = open(part.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(fifo, 0);
  ASSERT_EQ(fcntl(fifo, F_SETPIPE_SZ, 4096), 4096);
  const Outcome outcome = run(
      {"record", "-o", trace_, "--", RECORDED_PROGRAM, "threads"}, [] { signal(SIGINT, SIG_DFL); },
      [&](pid_t child) {
        pollfd written = {fifo, POLLIN, 0};
        EXPECT_EQ(poll(&written, 1, 20'000), 1);
        kill(child, SIGINT);
        EXPECT_TRUE(comes_true([&] {
          return read_file(folder_ + "/stderr").find("Ctrl-C again ends") != std::string::npos;
        }));
        EXPECT_FALSE(has_ended(child));
        kill(child, SIGINT);
      });
  close(fifo);
  EXPECT_EQ(outcome.exit_code, 1000 + SIGINT) << outcome.error;
  ASSERT_NE(kept(), "");
  fs::remove(part);
  const Outcome merged = merge_kept();
  EXPECT_EQ(merged.exit_code, 0) << merged.error;
  expect_threads_calls(read_ops(trace_));
  expect_no_raw_files();
}

TEST_F(RecordTest, ACancelledThreadIsUnwoundBehindItsCallsOnly) {
  const Outcome outcome = record("cancel");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.error, "") << "the program hung, or its thread was not cancelled";
  EXPECT_EQ(births(read_ops(trace_), kCancelledBytes), 2u * kCancelledRounds);
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

TEST_F(RecordTest, InfoNeedsAFolderItCanMake) {
  record_ops("nothing");
  for (const std::string &folder : {trace_, trace_ + "/sub"}) {
    expect_refused({"trace", "info", trace_, "-o", folder},
                   "cannot make the folder " + folder + ": Not a directory; name another with -o");
    EXPECT_EQ(read_file(folder_ + "/stdout"), "") << "nothing is printed before";
  }
  const std::string folder = folder_ + "/info";
  fs::create_directories(folder + "/info.json");
  expect_refused({"trace", "info", trace_, "-o", folder}, "cannot write " + folder + "/info.json");
}

}  // namespace
}  // namespace hakbench
