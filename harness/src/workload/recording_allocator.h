// recording_allocator.h - an allocator that checks its user and what it wraps.
//
// Purpose: proves of any workload that it frees only live blocks, once, writes only inside them, makes
//   exactly one call an op, and counts its live bytes rightly; and of the allocator it wraps that blocks
//   do not overlap, are aligned, zeroed and kept by realloc as asked, and that nobody else writes to
//   them. For tests, and for `hakbench loop --check`.
// Owns: the books of every block (one set a process).
// Boundary: never in a timed loop: it takes a lock and reads every block. It asks the wrapped allocator
//   for a little more than it is asked for: the bytes of a guard behind each block.
// Invariants: the first fault is kept, later ones may follow from it.
// Threads: any; the lock is not held while the wrapped allocator works. wrap and reset while no other
//   thread calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "allocator_plugin.h"

namespace hakbench {

struct Recording {
  uint64_t mallocs = 0;  // calls of malloc, calloc, realloc and aligned_alloc, failed ones included
  uint64_t frees = 0;    // calls, of NULL included
  uint64_t live_bytes = 0;
  std::vector<size_t> first_sizes;  // of the first of those, at most 32
  std::string fault;                // the first misuse or defect, empty if none
};

// Around an allocator; what that doesn't offer is not offered. A block's first `written_bytes` are
// its user's; the rest is filled with a pattern that must still be there at the end.
const allocator_plugin &record_calls_of(const allocator_plugin &real, uint64_t written_bytes);
// Around the C library's functions.
const allocator_plugin &recording_allocator(uint64_t written_bytes = UINT64_MAX);

Recording recording();
// Gives back what is live and forgets everything; from then on every `fail_every`-th allocating call
// returns NULL (0: none does).
void reset_recording(uint64_t fail_every = 0);

}  // namespace hakbench
