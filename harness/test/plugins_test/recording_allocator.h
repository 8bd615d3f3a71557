// recording_allocator.h - an allocator that checks its user.
//
// Purpose: proves of any workload that it frees only live blocks, once, writes only inside them, makes
//   exactly one call an op, and counts its live bytes rightly.
// Owns: the books of every block (one set a process; reset between tests).
// Threads: any; one lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "allocator_plugin.h"

namespace hakbench {

struct Recording {
  uint64_t mallocs = 0;  // calls, failed ones included
  uint64_t frees = 0;    // calls, of NULL included
  uint64_t live_bytes = 0;
  std::vector<size_t> first_sizes;  // of the first mallocs, at most 32
  std::string fault;                // the first misuse, empty if none
};

const allocator_plugin &recording_allocator();
Recording recording();
// Forgets everything; from then on every `fail_every`-th malloc returns NULL (0: none does).
void reset_recording(uint64_t fail_every = 0);

}  // namespace hakbench
