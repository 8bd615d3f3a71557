// epoch_runner.h - measure one epoch of a sleeping subject.
//
// Purpose:    the sandwich sample - run - sample, and the arithmetic that turns it into a row.
// Boundary:   needs a subject that was loaded; fills what was measured, not where in the schedule.
// Invariants: the harness's own T + 1 system calls and T voluntary switches are subtracted; a counter
//             that can't be exact (threads came or went, one would not sleep) stays empty.
#ifndef HAKBENCH_COORDINATOR_EPOCH_RUNNER_H_
#define HAKBENCH_COORDINATOR_EPOCH_RUNNER_H_

#include <chrono>
#include <vector>

#include "coordinator/subject_process.h"
#include "model/epoch.h"
#include "model/latency.h"

namespace hakbench {

// ops is over all workers; `run` is kRun or kTimedRun. Throws SubjectFailure or Interrupted.
Epoch measure_epoch(SubjectProcess *subject, CommandKind run, uint64_t ops,
                    const std::vector<int> &cpus, std::chrono::nanoseconds timeout);

// The service times of the kTimedRun before; seq, subject and launch stay empty.
LatencyEpoch fetch_latency(SubjectProcess *subject);

// Seconds from the first worker's start to the last one's end; the bare run, without samples.
double time_epoch(SubjectProcess *subject, uint64_t ops, std::chrono::nanoseconds timeout);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_EPOCH_RUNNER_H_
