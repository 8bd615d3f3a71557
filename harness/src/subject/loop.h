// loop.h - one workload on one allocator in this very process, for tools that watch a process.
//
// Purpose:    what callgrind, perf record and gdb need: no epochs, no second process, no samples.
// Boundary:   measures nothing itself. The timed loop is the one of the epochs; it is entered through
//             hakbench_timed_loop, a name that a tool can be told (callgrind's --toggle-collect).
// Threads:    starts the workers and joins them; with one worker the caller is it.
#ifndef HAKBENCH_SUBJECT_LOOP_H_
#define HAKBENCH_SUBJECT_LOOP_H_

#include <cstdint>
#include <string>

#include "subject/plugin_loader.h"
#include "workload/workload.h"

namespace hakbench {

struct LoopWork {
  uint64_t prefault_per_worker = 0;
  uint64_t ops_per_worker = 0;
  bool check = false;  // every call through workload/recording_allocator.h
};

// Sets up, prefaults, runs and tears down; then shuts the allocator down. `plugin` has been through
// init. False with *error if the workload can't be made or set up, or if a check found something.
bool run_loop(const LoadedPlugin &plugin, const WorkloadConfig &config, const LoopWork &work,
              uint64_t *failed_allocs, std::string *error);

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_LOOP_H_
