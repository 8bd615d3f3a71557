// micro_cases.h - the micro suite: one function at a time, as Google Benchmark runs it.
//
// Purpose: what does one kind of call cost, hot, alone? For finding where a difference between allocators
//   comes from; a verdict on an allocator comes from the workloads.
// Boundary: sees an allocator's table. Files, processes and options are micro_main.cc's.
// Invariants: names are stable: NAME/KEY:VALUE. One iteration is one pair of calls (or one call of
//   realloc), so real_time is ns an iteration in each. What a table lacks is not registered.
// Threads: remote_free starts one helper; the rest is the caller's thread.
#pragma once

#include "allocator_plugin.h"

namespace hakbench {

// The table must outlive the benchmarks.
void register_micro_cases(const allocator_plugin &table);

}  // namespace hakbench
