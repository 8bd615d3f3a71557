#include "subject/latency_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "subject/latency_clock.h"
#include "subject/plugin_loader.h"

namespace hakbench {
namespace {

// One empty measurement for so many operations: often enough to meet the same interrupts, too seldom to
// matter for the time of the epoch.
constexpr uint32_t kOpsPerTimerReading = 16;

// The best of so many readings is used: an interrupt does not come twice in a microsecond.
constexpr int kPairReadings = 8;

struct alignas(64) Histogram {
  std::atomic<bool> taken;
  uint32_t ops_until_timer;
  SlowestOps slowest;  // first, so that its threshold shares the line of the above
  LatencyCounts counts;
};

Histogram *histograms = nullptr;
uint32_t histogram_count = 0;
allocator_plugin real_table;
allocator_plugin timed_table;
thread_local Histogram *own = nullptr;
thread_local uint32_t own_worker = kNoWorker;
thread_local pid_t own_tid = 0;

// The exchange acquires what the former holder counted, which its release in thread_end published.
Histogram *take_histogram() {
  if (own_tid == 0) own_tid = gettid();
  for (uint32_t i = 0; i < histogram_count; ++i)
    if (!histograms[i].taken.exchange(true, std::memory_order_acquire)) return &histograms[i];
  fprintf(stderr,
          "latency probe: more threads call the allocator at once than there are workers; "
          "threads of the workload must call thread_end\n");
  abort();
}

// Seldom called: the longer the epoch, the fewer operations exceed the threshold.
__attribute__((noinline)) void keep(TimedOp op, uint64_t size, uint64_t start, uint64_t ticks) {
  own->slowest.keep({start, ticks, size, static_cast<uint32_t>(op), own_worker, own_tid});
}

template <class Clock>
void count(TimedOp op, uint64_t size, uint64_t start, uint64_t end) {
  if (own == nullptr) own = take_histogram();
  // Two CPUs' counters may differ by a few ticks; a thread that was moved in between took no time less
  // than none.
  const uint64_t ticks = end > start ? end - start : 0;
  ++own->counts.counts[static_cast<uint32_t>(op)][latency_bucket(ticks)];
  if (op == TimedOp::kTimer) return;
  if (own->slowest.wants(ticks)) keep(op, size, start, ticks);
  if (own->ops_until_timer-- != 0) return;
  own->ops_until_timer = kOpsPerTimerReading - 1;
  const uint64_t timer_start = Clock::start();
  const uint64_t timer_end = Clock::end();
  count<Clock>(TimedOp::kTimer, kSizeUnknown, timer_start, timer_end);
}

// The real function's address is read before the clock, so that only its call is timed.
template <class Clock, class Result, class... Arguments>
Result timed(TimedOp op, uint64_t size, Result (*real)(Arguments...), Arguments... arguments) {
  const uint64_t start = Clock::start();
  Result result = real(arguments...);
  const uint64_t end = Clock::end();
  count<Clock>(op, size, start, end);
  return result;
}

uint64_t product_bytes(size_t n, size_t size) {
  uint64_t bytes = 0;
  return __builtin_mul_overflow(n, size, &bytes) ? kSizeUnknown : bytes;
}

template <class Clock>
struct Timed {
  static void *malloc(size_t size) {
    return timed<Clock>(TimedOp::kMalloc, size, real_table.malloc, size);
  }
  static void *calloc(size_t n, size_t size) {
    return timed<Clock>(TimedOp::kCalloc, product_bytes(n, size), real_table.calloc, n, size);
  }
  static void *realloc(void *block, size_t size) {
    return timed<Clock>(TimedOp::kRealloc, size, real_table.realloc, block, size);
  }
  static void *aligned_alloc(size_t alignment, size_t size) {
    return timed<Clock>(TimedOp::kAlignedAlloc, size, real_table.aligned_alloc, alignment, size);
  }
  static void free(void *block) {
    void (*const real)(void *) = real_table.free;
    const uint64_t start = Clock::start();
    real(block);
    const uint64_t end = Clock::end();
    count<Clock>(TimedOp::kFree, kSizeUnknown, start, end);
  }
  static void free_sized(void *block, size_t size) {
    void (*const real)(void *, size_t) = real_table.free_sized;
    const uint64_t start = Clock::start();
    real(block, size);
    const uint64_t end = Clock::end();
    count<Clock>(TimedOp::kFree, size, start, end);
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
    fill_table<RawClock>();
  }
  return timed_table;
}

void name_timed_worker(uint32_t worker) {
  own_worker = worker;
  own_tid = gettid();
}

void collect_latency(LatencyRecord *sum) {
  memset(sum, 0, sizeof *sum);
  for (uint32_t i = 0; i < histogram_count; ++i) {
    LatencyCounts &part = histograms[i].counts;
    for (uint32_t op = 0; op < kTimedOps; ++op)
      for (uint32_t bucket = 0; bucket < kLatencyBuckets; ++bucket)
        sum->counts.counts[op][bucket] += part.counts[op][bucket];
    memset(&part, 0, sizeof part);
    sum->slowest.keep_all(histograms[i].slowest);
    memset(&histograms[i].slowest, 0, sizeof histograms[i].slowest);
  }
}

const char *latency_clock() {
  return has_invariant_tsc() ? "tsc"
                             : "clock_gettime: this CPU offers no invariant time stamp counter";
}

ClockPair read_clock_pair() {
  ClockPair best = {0, 0, UINT64_MAX, 0};
  for (int i = 0; i < kPairReadings; ++i) {
    const uint64_t monotonic_ns = read_monotonic_ns();
    const uint64_t before_ns = read_raw_ns();
    const uint64_t ticks = has_invariant_tsc() ? TscClock::start() : RawClock::start();
    const uint64_t after_ns = read_raw_ns();
    const uint64_t error_ns = (after_ns - before_ns + 1) / 2;
    if (error_ns < best.error_ns)
      best = {ticks, before_ns + (after_ns - before_ns) / 2, error_ns, monotonic_ns};
  }
  return best;
}

}  // namespace hakbench
