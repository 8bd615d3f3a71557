// soak_session.h - a soak: one process of each subject, epoch after epoch, until the time is up.
//
// Purpose:    the schedule of `hakbench soak`; what a turn is, is turn_runner.h's.
// Owns:       the subject processes.
// Boundary:   RunConfig with its soak part in, RunObserver out. No file, no terminal, no statistics.
// Invariants: only one subject runs at a time; the others sleep. The duration is that of the clock while
//             the machine runs: suspended time is none of it. Each subject gets at least one epoch.
// Threads:    one.
#ifndef HAKBENCH_COORDINATOR_SOAK_SESSION_H_
#define HAKBENCH_COORDINATOR_SOAK_SESSION_H_

#include "coordinator/run_config.h"
#include "model/run_observer.h"

namespace hakbench {

// Runs from config.soaked_s to config.soak->duration_s, with fresh processes (a launch). Throws as
// run_session does.
void run_soak(const RunConfig &config, RunObserver *observer);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SOAK_SESSION_H_
