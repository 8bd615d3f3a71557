#include "coordinator/service_time.h"

#include <cmath>

namespace hakbench {

std::vector<LatencyBucket> latency_buckets(const LatencyResult &result) {
  const double measured =
      static_cast<double>(result.span_ticks) / static_cast<double>(result.span_ns);
  const double ticks_per_ns = std::round(measured * 1e4) / 1e4;
  std::vector<LatencyBucket> buckets;
  for (uint32_t op = 0; op < kTimedOps; ++op) {
    for (uint32_t i = 0; i < kLatencyBuckets; ++i) {
      const uint64_t count = result.counts.counts[op][i];
      if (count == 0) continue;
      const auto low = static_cast<double>(bucket_low(i));
      const auto width = static_cast<double>(bucket_width(i));
      buckets.push_back({kTimedOpNames[op], low / ticks_per_ns, (low + width) / ticks_per_ns,
                         static_cast<int64_t>(count)});
    }
  }
  return buckets;
}

}  // namespace hakbench
