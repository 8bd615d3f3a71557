// Exemplars of the tail: which operations are kept, where they lie on the kernel's clock, what coincided.
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "coordinator/cpus.h"
#include "coordinator/event_rings.h"
#include "coordinator/service_time.h"
#include "subject/latency_clock.h"
#include "subject/slowest_ops.h"

namespace hakbench {
namespace {

using Kind = KernelEvent::Kind;

SlowOp op_of(uint64_t ticks, uint64_t start = 0) {
  return {start, ticks, 64, static_cast<uint32_t>(TimedOp::kMalloc), 0, 7};
}

std::vector<uint64_t> kept(const SlowestOps &slowest) {
  std::vector<uint64_t> ticks;
  for (uint32_t i = 0; i < slowest.count; ++i) ticks.push_back(slowest.ops[i].ticks);
  std::sort(ticks.rbegin(), ticks.rend());
  return ticks;
}

TEST(SlowestOps, WantsEverythingUntilFullAndThenWhatExceedsTheLeast) {
  SlowestOps slowest = {};
  for (uint32_t i = 1; i <= kSlowestOps; ++i) {
    EXPECT_TRUE(slowest.wants(1)) << "not full yet";
    slowest.keep(op_of(10 * i));
  }
  EXPECT_EQ(slowest.threshold_ticks, 10u);
  EXPECT_FALSE(slowest.wants(10)) << "of equals the earlier one stays";
  EXPECT_TRUE(slowest.wants(11));
  slowest.keep(op_of(15));
  EXPECT_EQ(slowest.threshold_ticks, 15u);
  slowest.keep(op_of(14));
  EXPECT_EQ(slowest.count, kSlowestOps);
  EXPECT_EQ(kept(slowest).back(), 15u);
}

TEST(SlowestOps, AreTheWorstOfAllThatWereGivenWhateverTheOrder) {
  std::vector<uint64_t> all;
  for (uint64_t i = 1; i <= 1000; ++i) all.push_back(i * i);
  const std::vector<uint64_t> worst(all.rbegin(), all.rbegin() + kSlowestOps);
  std::mt19937 rng(5);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(all.begin(), all.end(), rng);
    SlowestOps slowest = {};
    for (const uint64_t ticks : all)
      if (slowest.wants(ticks)) slowest.keep(op_of(ticks));
    EXPECT_EQ(kept(slowest), worst);
  }
}

TEST(SlowestOps, MergedAreTheWorstOfBoth) {
  SlowestOps sum = {};
  sum.keep_all({});
  EXPECT_EQ(sum.count, 0u);
  SlowestOps even = {};
  SlowestOps odd = {};
  for (uint64_t i = 1; i <= 20; ++i) (i % 2 == 0 ? even : odd).keep(op_of(i));
  sum.keep_all(even);
  sum.keep_all(odd);
  EXPECT_EQ(kept(sum), (std::vector<uint64_t>{20, 19, 18, 17, 16, 15, 14, 13}));
}

// 2.5 ticks per ns. CLOCK_MONOTONIC is ahead of CLOCK_MONOTONIC_RAW and runs a millionth faster.
class ExemplarTest : public testing::Test {
 protected:
  void SetUp() override {
    result_->start = {5'000'000'000, 7'000'000'000, 30, 9'000'000'000};
    result_->end = {7'500'000'000, 8'000'000'000, 25, 10'000'001'000};
  }
  // An operation of 100 us that begins 0.4 s after the start, in thread 7.
  static constexpr uint64_t kStartNs = 7'400'000'000;
  static constexpr uint64_t kEndNs = 7'400'100'000;
  void keep_one() { result_->record.slowest.keep(op_of(250'000, 6'000'000'000)); }

  Exemplar only(const std::vector<KernelEvent> &events, uint64_t complete_until_ns = UINT64_MAX) {
    const std::vector<Exemplar> rows = exemplars(*result_, [&](const EventVisitor &visit) {
      for (const KernelEvent &event : events) visit(event);
      return complete_until_ns;
    });
    EXPECT_EQ(rows.size(), 1u);
    return rows.at(0);
  }

  std::unique_ptr<LatencyResult> result_ = std::make_unique<LatencyResult>();
};

TEST_F(ExemplarTest, SaysWhatWasSlowWhereAndWhen) {
  keep_one();
  const Exemplar row = only({});
  EXPECT_EQ(row.op, "malloc");
  EXPECT_EQ(row.size_bytes, 64);
  EXPECT_EQ(row.thread, 0);
  EXPECT_EQ(row.start_ns, 9'400'000'400) << "on CLOCK_MONOTONIC, which is steered";
  EXPECT_EQ(row.service_time_ns, 100'000);
  EXPECT_EQ(row.page_faults, 0) << "measured: none";
  EXPECT_EQ(row.context_switches, 0);
}

TEST_F(ExemplarTest, WhatIsNotKnownIsEmpty) {
  result_->record.slowest.keep(
      {6'000'000'000, 250'000, kSizeUnknown, static_cast<uint32_t>(TimedOp::kFree), kNoWorker, 7});
  const Exemplar row = only({}, 0);
  EXPECT_EQ(row.op, "free");
  EXPECT_EQ(row.size_bytes, Integer());
  EXPECT_EQ(row.thread, Integer());
  EXPECT_EQ(row.page_faults, Integer()) << "nothing was recorded";
  EXPECT_EQ(row.context_switches, Integer());
}

TEST_F(ExemplarTest, CountsEventsOfItsThreadWithinIt) {
  keep_one();
  const Exemplar row = only({{Kind::kPageFault, 7, kStartNs + 100},
                             {Kind::kPageFault, 7, kEndNs - 100},
                             {Kind::kSwitch, 7, kStartNs + 50'000},
                             {Kind::kSwitch, 8, kStartNs + 50'000},
                             {Kind::kPageFault, 8, kStartNs + 50'000},
                             {Kind::kPageFault, 7, kStartNs - 100},
                             {Kind::kPageFault, 7, kEndNs + 100}});
  EXPECT_EQ(row.page_faults, 2);
  EXPECT_EQ(row.context_switches, 1);
}

TEST_F(ExemplarTest, AnEventAtAnEdgeLeavesItsKindInDoubt) {
  keep_one();
  EXPECT_EQ(tolerance_ns(*result_), 50u);
  for (const uint64_t at : {kStartNs - 50, kStartNs, kStartNs + 50, kEndNs - 50, kEndNs + 50}) {
    const Exemplar row = only({{Kind::kPageFault, 7, at}, {Kind::kPageFault, 7, kStartNs + 500}});
    EXPECT_EQ(row.page_faults, Integer()) << at;
    EXPECT_EQ(row.context_switches, 0);
  }
  EXPECT_EQ(only({{Kind::kPageFault, 7, kStartNs - 51}}).page_faults, 0);
  EXPECT_EQ(only({{Kind::kPageFault, 7, kStartNs + 51}}).page_faults, 1);
}

TEST_F(ExemplarTest, LostEventsLeaveWhatTheyMayConcernEmpty) {
  keep_one();
  EXPECT_EQ(only({{Kind::kPageFault, 7, kStartNs + 100}}, kEndNs + 50).page_faults, Integer());
  EXPECT_EQ(only({{Kind::kPageFault, 7, kStartNs + 100}}, kEndNs + 51).page_faults, 1);
}

TEST_F(ExemplarTest, SlowestComesFirst) {
  for (const uint64_t ticks : {250u, 750u, 500u})
    result_->record.slowest.keep(op_of(ticks, 6'000'000'000));
  std::vector<int64_t> times;
  for (const Exemplar &row : exemplars(*result_, [](const EventVisitor &) { return uint64_t{0}; }))
    times.push_back(*row.service_time_ns);
  EXPECT_EQ(times, (std::vector<int64_t>{300, 200, 100}));
}

TEST(ClockPair, LiesWhereItSays) {
  const uint64_t before_ns = read_raw_ns();
  const uint64_t monotonic_ns = read_monotonic_ns();
  const ClockPair first = read_clock_pair();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const ClockPair second = read_clock_pair();
  const uint64_t after_ns = read_raw_ns();
  EXPECT_GE(first.raw_ns + first.error_ns, before_ns);
  EXPECT_GE(first.monotonic_ns, monotonic_ns);
  EXPECT_LE(second.raw_ns, after_ns + second.error_ns);
  EXPECT_GE(second.raw_ns - first.raw_ns, 19'000'000u);
  EXPECT_GT(second.ticks, first.ticks);
}

// ---- The kernel's ring

struct RawRecord {
  perf_event_header header;
  uint32_t pid;
  uint32_t tid;
  uint64_t time;
};

class RingBytes {
 public:
  explicit RingBytes(uint64_t tail) : tail_(tail), head_(tail) {}
  void put(const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i)
      ring_[head_++ % sizeof ring_] = static_cast<const unsigned char *>(data)[i];
  }
  void put(uint32_t type, uint16_t misc, uint32_t tid, uint64_t time) {
    const RawRecord record = {{type, misc, sizeof record}, 1, tid, time};
    put(&record, sizeof record);
  }
  uint64_t read(std::vector<KernelEvent> *events) const {
    return read_records(ring_, sizeof ring_, tail_, head_,
                        [&](const KernelEvent &event) { events->push_back(event); });
  }
  uint64_t used() const { return head_ - tail_; }

 private:
  unsigned char ring_[512] = {};
  uint64_t tail_;
  uint64_t head_;
};

TEST(ReadRecords, TakesFaultsAndSwitchesAwayAlsoAcrossTheRingsEnd) {
  for (const uint64_t tail : {uint64_t{0}, uint64_t{512 * 9 - 20}, uint64_t{512 * 9 - 36}}) {
    RingBytes ring(tail);
    const struct {
      perf_event_header header;
      uint64_t more[4];
    } lost = {{PERF_RECORD_LOST, 0, sizeof lost}, {1, 2, 3, 4}};
    ring.put(&lost, sizeof lost);
    ring.put(PERF_RECORD_SAMPLE, 0, 7, 100);
    ring.put(PERF_RECORD_SWITCH, PERF_RECORD_MISC_SWITCH_OUT, 8, 200);
    ring.put(PERF_RECORD_SWITCH, 0, 8, 300);
    std::vector<KernelEvent> events;
    EXPECT_EQ(ring.read(&events), UINT64_MAX) << "there was room for more";
    ASSERT_EQ(events.size(), 2u) << tail;
    EXPECT_TRUE(events[0].kind == Kind::kPageFault && events[0].tid == 7 &&
                events[0].raw_ns == 100);
    EXPECT_TRUE(events[1].kind == Kind::kSwitch && events[1].tid == 8 && events[1].raw_ns == 200);
  }
}

TEST(ReadRecords, AFullRingIsCompleteUpToItsLastRecord) {
  RingBytes ring(48);
  uint64_t time = 1000;
  while (ring.used() + sizeof(RawRecord) <= 512) ring.put(PERF_RECORD_SAMPLE, 0, 7, ++time);
  std::vector<KernelEvent> events;
  EXPECT_EQ(ring.read(&events), time);
  EXPECT_EQ(events.size(), 21u);
}

// What one child of this process does, seen from outside as a subject is.
class RingTest : public testing::Test {
 protected:
  void SetUp() override {
    if (event_source().source.empty()) GTEST_SKIP() << event_source().reason;
    ASSERT_EQ(pipe(go_), 0);
    ASSERT_EQ(pipe(done_), 0);
    child_ = fork();
    if (child_ != 0) {
      cpu_set_t set;  // one CPU, one ring
      CPU_ZERO(&set);
      CPU_SET(allowed_cpus().back(), &set);
      ASSERT_EQ(sched_setaffinity(child_, sizeof set, &set), 0);
      return;
    }
    for (char word = 0; read(go_[0], &word, 1) == 1;) {
      if (word == 't') std::thread([] { touch(1); }).join();
      if (word == '1') touch(100);
      if (word == 'm') touch(200'000);
      if (write(done_[1], &word, 1) != 1) break;
    }
    _exit(0);
  }
  void TearDown() override {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    for (const int fd : {go_[0], go_[1], done_[0], done_[1]}) close(fd);
  }
  static void touch(size_t pages) {
    const size_t page = 4096;
    void *const memory =
        mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, pages * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < pages; ++i) static_cast<volatile char *>(memory)[i * page] = 1;
    munmap(memory, pages * page);
  }
  void tell(char word) {
    ASSERT_EQ(write(go_[1], &word, 1), 1);
    ASSERT_EQ(read(done_[0], &word, 1), 1);
  }
  int go_[2] = {};
  int done_[2] = {};
  pid_t child_ = 0;
};

TEST_F(RingTest, HoldsEachFaultAndSwitchOfTheProcessAndItsLaterThreads) {
  EventRings rings;
  ASSERT_TRUE(rings.attach(event_source(), child_));
  tell('1');
  EXPECT_EQ(rings.read([](const KernelEvent &) { FAIL(); }), 0u) << "not started";
  for (int round = 0; round < 2; ++round) {
    const uint64_t before_ns = read_raw_ns();
    rings.start();
    tell('1');
    tell('t');
    rings.stop();
    const uint64_t after_ns = read_raw_ns();
    tell('1');
    std::map<pid_t, int> faults;
    int switches = 0;
    EXPECT_EQ(rings.read([&](const KernelEvent &event) {
      EXPECT_GE(event.raw_ns, before_ns);
      EXPECT_LE(event.raw_ns, after_ns);
      ++(event.kind == Kind::kPageFault ? faults[event.tid] : switches);
    }),
              UINT64_MAX);
    EXPECT_GE(faults[child_], 100);
    EXPECT_LT(faults[child_], 200) << "emptied at the start, and stopped";
    ASSERT_EQ(faults.size(), 2u) << "the thread started later is seen, by its own number";
    EXPECT_GE(switches, 2) << "it slept until it was told";
  }
}

TEST_F(RingTest, ThatOverflowedSaysUntilWhen) {
  EventRings rings;
  ASSERT_TRUE(rings.attach(event_source(), child_));
  rings.start();
  tell('m');
  rings.stop();
  const uint64_t after_ns = read_raw_ns();
  uint64_t faults = 0;
  const uint64_t until_ns = rings.read([&](const KernelEvent &) { ++faults; });
  EXPECT_GT(faults, 1000u);
  EXPECT_LT(faults, 200'000u) << "its size is bounded";
  EXPECT_LT(until_ns, after_ns);
  EXPECT_GT(until_ns, 0u);
  rings.start();
  tell('1');
  rings.stop();
  EXPECT_EQ(rings.read([](const KernelEvent &) {}), UINT64_MAX) << "and then goes on";
}

}  // namespace
}  // namespace hakbench
