// service_time.h - from a subject's record in clock ticks to service times in ns.
//
// Purpose:    the one place that knows how long a tick is, and where it lies on the kernel's clocks.
// Boundary:   plain data in and out.
// Invariants: a tick's length is rounded to four digits after the point per ns, so that the buckets of all
//             epochs and launches have the same edges; the error is far below a bucket's width.
#ifndef HAKBENCH_COORDINATOR_SERVICE_TIME_H_
#define HAKBENCH_COORDINATOR_SERVICE_TIME_H_

#include <vector>

#include "coordinator/event_rings.h"
#include "model/latency.h"
#include "subject/control_block.h"

namespace hakbench {

std::vector<LatencyBucket> latency_buckets(const LatencyResult &result);

// How far an operation's place on CLOCK_MONOTONIC_RAW may be off: what the pairs of readings at the epoch's
// ends leave open, and what two CPUs' counters may differ by.
uint64_t tolerance_ns(const LatencyResult &result);

// Hands all kernel events of the epoch to the visitor; returns until when none is missing (EventRings::read).
using EventReader = std::function<uint64_t(const EventVisitor &)>;

// The epoch's slowest operations, the slowest first, with the events of their thread within them. Seq,
// subject and launch are the caller's. The counts are empty, and not guessed, if events are missing or if one
// lies within the tolerance of an edge of the operation.
std::vector<Exemplar> exemplars(const LatencyResult &result, const EventReader &read_events);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SERVICE_TIME_H_
