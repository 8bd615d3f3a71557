#include "subject/latency_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <atomic>

#include "subject/latency_clock.h"
#include "subject/plugin_loader.h"

namespace hakbench {
namespace {

// One empty measurement for so many operations: often enough to meet the same interrupts, too seldom to
// matter for the time of the epoch.
constexpr uint32_t kOpsPerTimerReading = 16;

struct alignas(64) Histogram {
  std::atomic<bool> taken;
  uint32_t ops_until_timer;
  LatencyCounts counts;
};

Histogram *histograms = nullptr;
uint32_t histogram_count = 0;
allocator_plugin real_table;
allocator_plugin timed_table;
thread_local Histogram *own = nullptr;

// The exchange acquires what the former holder counted, which its release in thread_end published.
Histogram *take_histogram() {
  for (uint32_t i = 0; i < histogram_count; ++i)
    if (!histograms[i].taken.exchange(true, std::memory_order_acquire)) return &histograms[i];
  fprintf(stderr,
          "latency probe: more threads call the allocator at once than there are workers; "
          "threads of the workload must call thread_end\n");
  abort();
}

template <class Clock>
void count(TimedOp op, uint64_t start, uint64_t end) {
  if (own == nullptr) own = take_histogram();
  // Two CPUs' counters may differ by a few ticks; a thread that was moved in between took no time less
  // than none.
  const uint64_t ticks = end > start ? end - start : 0;
  ++own->counts.counts[static_cast<uint32_t>(op)][latency_bucket(ticks)];
  if (op == TimedOp::kTimer || own->ops_until_timer-- != 0) return;
  own->ops_until_timer = kOpsPerTimerReading - 1;
  const uint64_t timer_start = Clock::start();
  const uint64_t timer_end = Clock::end();
  count<Clock>(TimedOp::kTimer, timer_start, timer_end);
}

// The real function's address is read before the clock, so that only its call is timed.
template <class Clock, class Result, class... Arguments>
Result timed(TimedOp op, Result (*real)(Arguments...), Arguments... arguments) {
  const uint64_t start = Clock::start();
  Result result = real(arguments...);
  const uint64_t end = Clock::end();
  count<Clock>(op, start, end);
  return result;
}

template <class Clock>
struct Timed {
  static void *malloc(size_t size) {
    return timed<Clock>(TimedOp::kMalloc, real_table.malloc, size);
  }
  static void *calloc(size_t n, size_t size) {
    return timed<Clock>(TimedOp::kCalloc, real_table.calloc, n, size);
  }
  static void *realloc(void *block, size_t size) {
    return timed<Clock>(TimedOp::kRealloc, real_table.realloc, block, size);
  }
  static void *aligned_alloc(size_t alignment, size_t size) {
    return timed<Clock>(TimedOp::kAlignedAlloc, real_table.aligned_alloc, alignment, size);
  }
  static void free(void *block) {
    void (*const real)(void *) = real_table.free;
    const uint64_t start = Clock::start();
    real(block);
    const uint64_t end = Clock::end();
    count<Clock>(TimedOp::kFree, start, end);
  }
  static void free_sized(void *block, size_t size) {
    void (*const real)(void *, size_t) = real_table.free_sized;
    const uint64_t start = Clock::start();
    real(block, size);
    const uint64_t end = Clock::end();
    count<Clock>(TimedOp::kFree, start, end);
  }
};

void thread_end() {
  if (own != nullptr) own->taken.store(false, std::memory_order_release);
  own = nullptr;
  if (real_table.thread_end != nullptr) real_table.thread_end();
}

template <class Clock>
void fill_table() {
  const allocator_plugin &real = real_table;
  timed_table = real;  // what is not timed below is the allocator's own
  timed_table.thread_end = &thread_end;
  if (real.malloc != nullptr) timed_table.malloc = &Timed<Clock>::malloc;
  if (real.calloc != nullptr) timed_table.calloc = &Timed<Clock>::calloc;
  if (real.realloc != nullptr) timed_table.realloc = &Timed<Clock>::realloc;
  if (real.aligned_alloc != nullptr) timed_table.aligned_alloc = &Timed<Clock>::aligned_alloc;
  if (real.free != nullptr) timed_table.free = &Timed<Clock>::free;
  if (real.free_sized != nullptr) timed_table.free_sized = &Timed<Clock>::free_sized;
}

}  // namespace

bool prepare_latency_probe(uint32_t workers) {
  void *const memory = mmap(nullptr, workers * sizeof(Histogram), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return false;
  histograms = static_cast<Histogram *>(memory);  // zeroed: free and empty
  histogram_count = workers;
  return true;
}

const allocator_plugin &wrap_timed(const allocator_plugin &real) {
  real_table = whole_table(real);
  if (has_invariant_tsc()) {
    fill_table<TscClock>();
  } else {
    fill_table<MonotonicClock>();
  }
  return timed_table;
}

void collect_latency(LatencyCounts *sum) {
  memset(sum, 0, sizeof *sum);
  for (uint32_t i = 0; i < histogram_count; ++i) {
    LatencyCounts &part = histograms[i].counts;
    for (uint32_t op = 0; op < kTimedOps; ++op)
      for (uint32_t bucket = 0; bucket < kLatencyBuckets; ++bucket)
        sum->counts[op][bucket] += part.counts[op][bucket];
    memset(&part, 0, sizeof part);
  }
}

const char *latency_clock() {
  return has_invariant_tsc() ? "tsc"
                             : "clock_gettime: this CPU offers no invariant time stamp counter";
}

uint64_t read_latency_clock() {
  return has_invariant_tsc() ? TscClock::start() : MonotonicClock::start();
}

}  // namespace hakbench
