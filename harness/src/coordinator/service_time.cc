#include "coordinator/service_time.h"

#include <algorithm>
#include <cmath>

namespace hakbench {
namespace {

// Steps of the counter, and what the kernel allows two CPUs' counters to differ by.
constexpr uint64_t kCounterErrorNs = 20;

double slope(uint64_t ticks, uint64_t ns) {
  return static_cast<double>(ticks) / static_cast<double>(ns);
}

double ticks_per_ns(const LatencyResult &result) {
  const double measured = slope(result.end.ticks - result.start.ticks,
                                result.end.monotonic_ns - result.start.monotonic_ns);
  return std::round(measured * 1e4) / 1e4;
}

// On the straight line through both pairs. A worker may have started before the first.
int64_t on_clock(const LatencyResult &result, uint64_t ClockPair::*clock, uint64_t ticks) {
  const double ticks_each =
      slope(result.end.ticks - result.start.ticks, result.end.*clock - result.start.*clock);
  const auto since = static_cast<double>(static_cast<int64_t>(ticks - result.start.ticks));
  return static_cast<int64_t>(result.start.*clock) + std::llround(since / ticks_each);
}

// How many events of one kind lie within an operation, or that it can't be told.
struct Count {
  int64_t inside = 0;
  bool in_doubt = false;
  Integer value() const { return in_doubt ? Integer() : Integer(inside); }
};

struct Window {
  pid_t tid;
  int64_t start_ns;  // CLOCK_MONOTONIC_RAW
  int64_t end_ns;
  Count page_faults;
  Count switches;

  void note(const KernelEvent &event, int64_t tolerance) {
    const auto at_ns = static_cast<int64_t>(event.raw_ns);
    if (event.tid != tid || at_ns < start_ns - tolerance || at_ns > end_ns + tolerance) return;
    Count &count = event.kind == KernelEvent::Kind::kPageFault ? page_faults : switches;
    if (at_ns > start_ns + tolerance && at_ns < end_ns - tolerance)
      ++count.inside;
    else
      count.in_doubt = true;
  }
};

}  // namespace

std::vector<LatencyBucket> latency_buckets(const LatencyResult &result) {
  const double ticks_each = ticks_per_ns(result);
  std::vector<LatencyBucket> buckets;
  for (uint32_t op = 0; op < kTimedOps; ++op) {
    for (uint32_t i = 0; i < kLatencyBuckets; ++i) {
      const uint64_t count = result.record.counts.counts[op][i];
      if (count == 0) continue;
      const auto low = static_cast<double>(bucket_low(i));
      const auto width = static_cast<double>(bucket_width(i));
      buckets.push_back({kTimedOpNames[op], low / ticks_each, (low + width) / ticks_each,
                         static_cast<int64_t>(count)});
    }
  }
  return buckets;
}

uint64_t tolerance_ns(const LatencyResult &result) {
  return std::max(result.start.error_ns, result.end.error_ns) + kCounterErrorNs;
}

std::vector<Exemplar> exemplars(const LatencyResult &result, const EventReader &read_events) {
  const SlowestOps &slowest = result.record.slowest;
  std::vector<SlowOp> ops(slowest.ops, slowest.ops + slowest.count);
  std::stable_sort(ops.begin(), ops.end(),
                   [](const SlowOp &a, const SlowOp &b) { return a.ticks > b.ticks; });
  std::vector<Window> windows;
  for (const SlowOp &op : ops)
    windows.push_back({op.tid,
                       on_clock(result, &ClockPair::raw_ns, op.start_ticks),
                       on_clock(result, &ClockPair::raw_ns, op.start_ticks + op.ticks),
                       {},
                       {}});
  const auto tolerance = static_cast<int64_t>(tolerance_ns(result));
  const uint64_t complete_until_ns = read_events([&](const KernelEvent &event) {
    for (Window &window : windows) window.note(event, tolerance);
  });

  std::vector<Exemplar> rows;
  for (size_t i = 0; i < ops.size(); ++i) {
    const SlowOp &op = ops[i];
    Exemplar row;
    row.op = kTimedOpNames[op.op];
    if (op.size_bytes != kSizeUnknown) row.size_bytes = static_cast<int64_t>(op.size_bytes);
    if (op.worker != kNoWorker) row.thread = op.worker;
    row.start_ns = on_clock(result, &ClockPair::monotonic_ns, op.start_ticks);
    row.service_time_ns = std::llround(static_cast<double>(op.ticks) / ticks_per_ns(result));
    if (static_cast<uint64_t>(windows[i].end_ns + tolerance) < complete_until_ns) {
      row.page_faults = windows[i].page_faults.value();
      row.context_switches = windows[i].switches.value();
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace hakbench
