// latency_probe.h - time every call of the allocator, one by one.
//
// Purpose:    a table of the plugin ABI whose malloc, calloc, realloc, aligned_alloc and free read a clock
//             around the real function and count the difference in a histogram. A workload runs on it
//             unchanged.
// Owns:       one histogram a worker, mapped and resident before the baseline is sampled; the clock.
// Boundary:   sees two tables and a clock; the coordinator turns ticks into ns.
// Invariants: what the real table does not offer stays NULL. Between the two readings there is the real
//             call and nothing else: no allocation, no system call, no histogram. One real table a
//             process, which is why the state is global.
// Threads:    each thread counts in a histogram that no other holds: it takes a free one at its first
//             call and gives it back at the table's thread_end; workers keep theirs. There are as many as
//             workers: a thread that a workload starts works in the place of the worker that waits for
//             it. prepare, wrap and collect are called while no worker runs.
#ifndef HAKBENCH_SUBJECT_LATENCY_PROBE_H_
#define HAKBENCH_SUBJECT_LATENCY_PROBE_H_

#include <cstdint>

#include "allocator_plugin.h"
#include "subject/latency_buckets.h"

namespace hakbench {

// What is timed. kTimer is two readings with nothing in between: the probe's own cost.
enum class TimedOp : uint32_t { kMalloc, kFree, kCalloc, kRealloc, kAlignedAlloc, kTimer };
inline constexpr uint32_t kTimedOps = 6;
inline constexpr const char *kTimedOpNames[kTimedOps] = {"malloc",  "free",          "calloc",
                                                         "realloc", "aligned_alloc", "timer"};

struct LatencyCounts {
  uint64_t counts[kTimedOps][kLatencyBuckets];  // [op][bucket], in ticks of the clock
};

// Maps the histograms. False if the kernel refuses.
bool prepare_latency_probe(uint32_t workers);

// The timed table of `real`, which must outlive the process's last call.
const allocator_plugin &wrap_timed(const allocator_plugin &real);

// Sums all histograms into *sum, and empties them.
void collect_latency(LatencyCounts *sum);

// "tsc", or "clock_gettime" and why.
const char *latency_clock();

// The clock, to be compared with CLOCK_MONOTONIC over an epoch.
uint64_t read_latency_clock();

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_LATENCY_PROBE_H_
