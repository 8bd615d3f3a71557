// heap_registry.h - heaps come and go with threads.
//
// Purpose:    give a thread a heap at its first slow call, take it back when the thread ends, hand
//             it whole to the next thread; keep all consistent over fork.
// Owns:       the list of all heaps; the pool of blocks for threads that have none.
// Boundary:   a heap is one mapping: magazines, inbox, Heap, owner map. If there are very many
//             heaps, or the address space for the owner map is short, a heap is made without one
//             (its frees are all slow, but right); if even that fails, and in checked mode, the
//             thread works from the common pool.
// Threads:    adoption and release under the registry's lock, which is taken before any pool's.
#ifndef HAKMEM_CACHE_HEAP_REGISTRY_H_
#define HAKMEM_CACHE_HEAP_REGISTRY_H_

#include "cache/heap.h"

namespace hakmem {

namespace heap_registry {

// The calling thread's heap, adopted now if it has none; NULL if it must do without.
Heap *adopt();
// The same for a thread that frees, which gets none at first, nor when it ends.
Heap *adopt_to_free();
// fork then takes every lock first. Called without one; may allocate.
void install_fork_hooks();
// Serves threads that must do without a heap, one block at a time.
SlabPool &common_pool();
// The run has become a large block, where small blocks may have been: from now on no thread's free
// takes it for one that another heap's slab had there. Before anybody has the block.
void forget_remote(const Slab *run);
// Gives back what is cached in heaps that no thread has, and what waits in the inboxes of all.
void drain_unused();
// When so many ages have begun: what unused heaps cache goes home once it is of age, and the free
// pages of their slabs go back to the kernel, as many as one age may; in a burst those of idle
// threads' slabs too. Whether more are left.
bool age_unused(uint32_t ages, bool burst);
// At each malloc and free of a thread that does without a heap: what is free ages.
void age_without_heap();
// Gives the free pages in the slabs of all heaps back to the kernel.
void release_free_pages();

struct Totals {
  size_t heaps, heaps_in_use;
  size_t recent_bytes;  // of large blocks that threads have freed and keep
  uint64_t refills, depot_refills, flushes, depot_flushes, remote_flushes, remote_blocks,
      mail_blocks;
};
Totals totals();
// The observe build's counters of one class, summed over all heaps.
struct ClassTotals {
  uint64_t hits, refills, frees, remote_frees, flushes;
  uint64_t allocs() const { return hits + refills; }
};
ClassTotals class_totals(SizeClass c);

// Counts a free of another heap's block by a thread without a heap (observe build).
void count_free_without_heap(SizeClass c);

// Takes every lock of the allocator, as fork does: slabs, runs and mappings then stand still. Not
// magazines: those are still when their threads are.
void freeze();
void thaw();

// For an onlooker, between freeze() and thaw(): the heaps there are, and where each lies.
const Heap *first_heap();
struct HeapExtent {
  uintptr_t begin;      // magazines, inbox, Heap
  uintptr_t owner_map;  // where they end and the owner map begins
  uintptr_t end;
};
HeapExtent extent_of(const Heap *heap);

}  // namespace heap_registry
}  // namespace hakmem

#endif  // HAKMEM_CACHE_HEAP_REGISTRY_H_
