// proc_sampler.h - what the kernel knows about a subject, read from outside while it sleeps.
//
// Purpose:    one place that reads /proc/PID and the machine's /proc files.
// Boundary:   returns plain data; a file or field that the kernel does not offer stays empty.
// Invariants: counters are totals since the process began (or the machine booted); the caller takes
//             differences. Nothing here makes the subject run.
#ifndef HAKBENCH_COORDINATOR_PROC_SAMPLER_H_
#define HAKBENCH_COORDINATOR_PROC_SAMPLER_H_

#include <sys/types.h>

#include <chrono>
#include <vector>

#include "model/epoch.h"

namespace hakbench {

struct ProcCounters {
  Integer minor_faults;
  Integer major_faults;
  Integer cpu_time_ns;          // of all threads, those that ended too
  Integer threads_cpu_time_ns;  // summed over the threads alive, like the three below
  Integer run_delay_ns;
  Integer voluntary_switches;
  Integer involuntary_switches;
  Integer steal_ns;            // of the given CPUs; the kernel counts in ticks of usually 10 ms
  Integer psi_cpu_us;          // of the machine
  std::vector<pid_t> threads;  // whose sums they are: comparable only if the same before and after
};

struct ProcMemory {
  Integer rss_kb;
  Integer anon_huge_kb;
  Integer peak_rss_kb;  // since reset_peak_rss
  Integer vm_size_kb;
};

ProcCounters sample_counters(pid_t pid, const std::vector<int> &cpus);
ProcMemory sample_memory(pid_t pid);

// The RSS of this very process, the harness.
Integer own_rss_kb();

// The machine's load average over the last minute.
Real load_1min();

// Makes the kernel's high-water mark start again from the present RSS. False if not permitted; then
// peaks are those since the process began.
bool reset_peak_rss(pid_t pid);

// Waits until every thread of the process sleeps. False if one is still running after `timeout`
// (a spinning background thread of the allocator): exact counting is then not possible.
bool wait_until_asleep(pid_t pid, std::chrono::milliseconds timeout);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_PROC_SAMPLER_H_
