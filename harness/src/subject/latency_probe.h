// latency_probe.h - time every call of the allocator, one by one.
//
// Purpose:    a table of the plugin ABI whose functions that allocate or free read a clock around the
//             real ones and count the difference in a histogram; the slowest operations are kept one
//             by one. A workload runs on it unchanged.
// Owns:       one histogram a worker, mapped and resident before the baseline is sampled; the clock.
// Boundary:   sees two tables and a clock; the coordinator turns ticks into ns.
// Invariants: what the real table does not offer stays NULL. Between the two readings there is the real
//             call and nothing else: no allocation, no system call, no histogram. One real table a
//             process, which is why the state is global. No system call but gettid, once for each
//             thread that a workload starts.
// Threads:    each thread counts in a histogram that no other holds: it takes a free one at its first
//             call and gives it back at the table's thread_end; workers keep theirs. There are as many as
//             workers: a thread that a workload starts works in the place of the worker that waits for
//             it. prepare, wrap and collect are called while no worker runs.
#ifndef HAKBENCH_SUBJECT_LATENCY_PROBE_H_
#define HAKBENCH_SUBJECT_LATENCY_PROBE_H_

#include <cstdint>

#include "allocator_plugin.h"
#include "subject/latency_buckets.h"
#include "subject/slowest_ops.h"

namespace hakbench {

// What is timed. kTimer is two readings with nothing in between: the probe's own cost.
enum class TimedOp : uint32_t { kMalloc, kFree, kCalloc, kRealloc, kAlignedAlloc, kTimer };
inline constexpr uint32_t kTimedOps = 6;
inline constexpr const char *kTimedOpNames[kTimedOps] = {"malloc",  "free",          "calloc",
                                                         "realloc", "aligned_alloc", "timer"};

struct LatencyCounts {
  uint64_t counts[kTimedOps][kLatencyBuckets];  // [op][bucket], in ticks of the clock
};

// What was timed since the last collect_latency.
struct LatencyRecord {
  LatencyCounts counts;
  SlowestOps slowest;  // of all threads together; no timer readings
};

// Two clocks at one moment. The ticks lie within error_ns of raw_ns, on CLOCK_MONOTONIC_RAW: that clock is
// steered by nobody, so between two such pairs ticks lie on a straight line.
struct ClockPair {
  uint64_t ticks;
  uint64_t raw_ns;
  uint64_t error_ns;
  uint64_t monotonic_ns;  // CLOCK_MONOTONIC, right before
};

// Maps the histograms. False if the kernel refuses.
bool prepare_latency_probe(uint32_t workers);

// The timed table of `real`, which must outlive the process's last call.
const allocator_plugin &wrap_timed(const allocator_plugin &real);

// To be called by each worker before its first timed epoch: who it is, for the slowest operations.
void name_timed_worker(uint32_t worker);

// Sums all threads' records into *sum, and empties them.
void collect_latency(LatencyRecord *sum);

// "tsc", or "clock_gettime" and why.
const char *latency_clock();

// The clock beside the kernel's, to be read at both ends of an epoch. Takes about a microsecond.
ClockPair read_clock_pair();

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_LATENCY_PROBE_H_
