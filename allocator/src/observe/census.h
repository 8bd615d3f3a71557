// census.h - how many slabs and blocks are in which state, now.
//
// Purpose:    the gauges beside the counters: per class and over all superslabs.
// Boundary:   between heap_registry::freeze() and thaw(), which count() does itself.
// Invariants: of each class, blocks_out + blocks_free + blocks_new = the capacity of its slabs, and
//             blocks_out = cached + held by the program.
// Threads:    any; exact as far as cached_blocks.h is.
#ifndef HAKMEM_OBSERVE_CENSUS_H_
#define HAKMEM_OBSERVE_CENSUS_H_

#include <cstdint>

#include "sizeclass/sizeclass.h"

namespace hakmem::observe {

struct ClassCensus {
  uint64_t full_slabs, partial_slabs, empty_slabs;
  uint64_t blocks_out;   // not in the slab: in the program or in a cache
  uint64_t blocks_free;  // in the slab, used before
  uint64_t blocks_new;   // in the slab, never handed out
  uint64_t blocks_cached;

  uint64_t slabs() const { return full_slabs + partial_slabs + empty_slabs; }
  // A running thread's magazine may be met twice.
  uint64_t blocks_held() const {
    return blocks_out > blocks_cached ? blocks_out - blocks_cached : 0;
  }
};

// Slabs over all classes.
struct SlabStates {
  uint64_t full, partial, empty;
};

struct Census {
  ClassCensus classes[kClassCount];
  uint64_t superslabs;
  uint64_t large_runs, large_bytes;
  uint64_t recent_runs, recent_bytes;  // freed of late, and kept by a thread
  uint64_t free_runs, free_bytes;
  uint64_t free_touched_bytes;  // of them, likely resident
  uint64_t empty_slab_bytes;    // of the empty slabs that the heaps keep

  SlabStates slab_states() const {
    SlabStates states{};
    for (const ClassCensus &c : classes) {
      states.full += c.full_slabs;
      states.partial += c.partial_slabs;
      states.empty += c.empty_slabs;
    }
    return states;
  }
};

Census count();

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_CENSUS_H_
