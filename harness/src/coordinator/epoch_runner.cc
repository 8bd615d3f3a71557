#include "coordinator/epoch_runner.h"

#include <algorithm>

#include "coordinator/proc_sampler.h"
#include "coordinator/service_time.h"
#include "model/clock.h"

namespace hakbench {
namespace {

constexpr std::chrono::milliseconds kSleepTimeout{1000};
constexpr std::chrono::seconds kLiveBytesTimeout{600};
constexpr std::chrono::seconds kLatencyTimeout{60};
// The process's CPU time and the sum of its threads' may differ by so much though all are there.
constexpr int64_t kCpuTimeRoundingNs = 1000;

struct Span {
  uint64_t start_ns;
  uint64_t end_ns;
};

Span span_of(const ControlBlock &control) {
  Span span{UINT64_MAX, 0};
  for (uint32_t i = 0; i < control.spec.threads; ++i) {
    span.start_ns = std::min(span.start_ns, control.workers[i].start_ns);
    span.end_ns = std::max(span.end_ns, control.workers[i].end_ns);
  }
  return span;
}

int64_t failed_allocs(const ControlBlock &control) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < control.spec.threads; ++i) sum += control.workers[i].failed_allocs;
  return static_cast<int64_t>(sum);
}

// after - before - own, or empty if a side is.
Integer difference(Integer after, Integer before, int64_t own = 0) {
  if (!after || !before) return {};
  return *after - *before - own;
}

// Whether the sums over threads are of all that ran: none came, went, or did both within the epoch,
// whose CPU time is then the process's alone.
bool same_threads(const ProcCounters &before, const ProcCounters &after) {
  if (before.threads != after.threads) return false;
  const Integer all = difference(after.cpu_time_ns, before.cpu_time_ns);
  const Integer seen = difference(after.threads_cpu_time_ns, before.threads_cpu_time_ns);
  return !all || !seen || *all - *seen <= kCpuTimeRoundingNs;
}

void fill_counters(const ProcCounters &before, const ProcCounters &after, bool slept,
                   int64_t threads, Epoch *e) {
  e->minor_faults = difference(after.minor_faults, before.minor_faults);
  e->major_faults = difference(after.major_faults, before.major_faults);
  e->steal_ns = difference(after.steal_ns, before.steal_ns);
  e->psi_cpu_us = difference(after.psi_cpu_us, before.psi_cpu_us);
  e->cpu_time_ns = difference(after.cpu_time_ns, before.cpu_time_ns);
  if (!same_threads(before, after)) return;
  e->run_delay_ns = difference(after.run_delay_ns, before.run_delay_ns);
  e->involuntary_switches = difference(after.involuntary_switches, before.involuntary_switches);
  if (!slept) return;
  e->voluntary_switches = difference(after.voluntary_switches, before.voluntary_switches, threads);
}

}  // namespace

Epoch measure_epoch(SubjectProcess *subject, CommandKind run, uint64_t ops,
                    const std::vector<int> &cpus, std::chrono::nanoseconds timeout) {
  const ControlBlock &control = subject->control();
  const int64_t threads = control.spec.threads;
  const bool slept_before = wait_until_asleep(subject->pid(), kSleepTimeout);
  const bool peak_known = reset_peak_rss(subject->pid());
  const ProcCounters before = sample_counters(subject->pid(), cpus);
  const Integer syscalls_before = subject->syscalls().read_total();
  const Integer instructions_before = subject->instructions().read_total();

  const bool timed = run == CommandKind::kTimedRun;
  if (timed) subject->events().start();
  subject->execute(run, ops / threads, timeout);
  if (timed) subject->events().stop();

  const bool slept_after = wait_until_asleep(subject->pid(), kSleepTimeout);
  const Integer syscalls_after = subject->syscalls().read_total();
  const Integer instructions_after = subject->instructions().read_total();
  const ProcCounters after = sample_counters(subject->pid(), cpus);
  const ProcMemory memory = sample_memory(subject->pid());

  Epoch epoch;
  epoch.wall_time_s = wall_time_s();
  const Span span = span_of(control);
  epoch.start_ns = static_cast<int64_t>(span.start_ns);
  epoch.ops = static_cast<int64_t>(ops);
  epoch.elapsed_ns = static_cast<int64_t>(span.end_ns - span.start_ns);
  epoch.ops_per_s = static_cast<double>(ops) * 1e9 / static_cast<double>(*epoch.elapsed_ns);
  epoch.ns_per_op = static_cast<double>(*epoch.elapsed_ns) / static_cast<double>(ops);
  epoch.failed_allocs = failed_allocs(control);
  const bool slept = slept_before && slept_after;
  fill_counters(before, after, slept, threads, &epoch);
  if (slept) {
    epoch.syscalls = difference(syscalls_after, syscalls_before, threads + 1);
    epoch.instructions = difference(instructions_after, instructions_before);
  }
  epoch.load_1min = load_1min();
  epoch.rss_kb = memory.rss_kb;
  if (peak_known) epoch.peak_rss_kb = memory.peak_rss_kb;
  epoch.anon_huge_kb = memory.anon_huge_kb;
  epoch.vm_size_kb = memory.vm_size_kb;

  subject->execute(CommandKind::kLiveBytes, 0, kLiveBytesTimeout);
  epoch.live_bytes = static_cast<int64_t>(control.live_bytes);
  return epoch;
}

LatencyEpoch fetch_latency(SubjectProcess *subject) {
  subject->execute(CommandKind::kLatency, 0, kLatencyTimeout);
  const LatencyResult &result = subject->control().latency;
  LatencyEpoch epoch = {};
  epoch.buckets = latency_buckets(result);
  epoch.exemplars =
      exemplars(result, [&](const EventVisitor &visit) { return subject->events().read(visit); });
  return epoch;
}

double time_epoch(SubjectProcess *subject, uint64_t ops, std::chrono::nanoseconds timeout) {
  subject->execute(CommandKind::kRun, ops / subject->control().spec.threads, timeout);
  const Span span = span_of(subject->control());
  return static_cast<double>(span.end_ns - span.start_ns) / 1e9;
}

}  // namespace hakbench
