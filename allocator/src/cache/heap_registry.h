// heap_registry.h - heaps come and go with threads.
//
// Purpose:    give a thread a heap at its first slow call, take it back when the thread ends, hand
//             it whole to the next thread; keep all consistent over fork.
// Owns:       the list of all heaps; the pool of blocks for threads that have none.
// Boundary:   a heap is one mapping: magazines, inbox, Heap, owner map. If the address space for
//             the owner map is short, a heap is made without one (its frees are all slow, but
//             right); if even that fails, and in checked mode, the thread works from the common
//             pool.
// Threads:    adoption and release under the registry's lock, which is taken before any pool's.
#ifndef HAKMEM_CACHE_HEAP_REGISTRY_H_
#define HAKMEM_CACHE_HEAP_REGISTRY_H_

#include "cache/heap.h"

namespace hakmem {

namespace heap_registry {

// The calling thread's heap, adopted now if it has none; NULL if it must do without.
Heap *adopt();
// Serves threads that must do without a heap, one block at a time.
SlabPool &common_pool();
// Gives back what heaps without a thread cache, and what waits in the inboxes of all.
void drain_unused();
// Gives the free pages in the slabs of all heaps back to the kernel.
void release_free_pages();

struct Totals {
  size_t heaps, heaps_in_use;
  uint64_t refills, depot_refills, flushes, depot_flushes, remote_flushes, remote_blocks,
      mail_blocks;
};
Totals totals();
// Sums the observe build's counters of one class over all heaps.
void class_totals(SizeClass c, uint64_t *allocs, uint64_t *frees);

}  // namespace heap_registry
}  // namespace hakmem

#endif  // HAKMEM_CACHE_HEAP_REGISTRY_H_
