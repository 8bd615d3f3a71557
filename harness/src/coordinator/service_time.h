// service_time.h - from a subject's histogram of clock ticks to buckets in ns.
//
// Purpose:    the one place that knows how long a tick is.
// Boundary:   plain data in and out.
// Invariants: a tick's length is rounded to four digits after the point per ns, so that the buckets of all
//             epochs and launches have the same edges; the error is far below a bucket's width.
#ifndef HAKBENCH_COORDINATOR_SERVICE_TIME_H_
#define HAKBENCH_COORDINATOR_SERVICE_TIME_H_

#include <vector>

#include "model/latency.h"
#include "subject/control_block.h"

namespace hakbench {

std::vector<LatencyBucket> latency_buckets(const LatencyResult &result);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SERVICE_TIME_H_
