// warm_pool.h - superslab memory that is made resident before it is needed.
//
// Purpose:    growth by one call of the kernel for the whole pool, not a page fault for each page.
// Owns:       the `warm` mask of every superslab, and the pool's statistics.
// Boundary:   the page heap says what it takes, what it gives back, and when it has grown by slabs
//             that were not warm; whether and how much to populate is decided here.
// Invariants: a warm slab is free, resident, and all zero: it is not `touched`, so it neither ages
//             nor counts as waiting. The pool is filled only when it is empty: to its size when the
//             heap begins; after that only in a heap of eight times its size, and only when small
//             slabs have grown by its size since the last fill. For small blocks fill their slabs,
//             but of a large block a program may use little.
//             The hardened variant, whose free memory has guard pages, has no pool.
// Threads:    all but wanted_slabs() under the page heap's lock.
// Gate:       HAKMEM_SS_WARM_POOL_KB.
#ifndef HAKMEM_SUPERSLAB_WARM_POOL_H_
#define HAKMEM_SUPERSLAB_WARM_POOL_H_

#include <cstddef>
#include <cstdint>

#include "superslab/superslab.h"

namespace hakmem::warm_pool {

// The pool's size; 0: there is none.
size_t wanted_slabs();
bool is_empty();

// Free slabs are taken into use. Those that were never touched are the pool's hits and misses.
void take(Superslab *superslab, size_t index, size_t slabs);
// Slabs that were never used have become small ones.
void grow_small(size_t slabs);
// Fills the empty pool from the untouched free slabs that begin at `index`. `used_slabs`: how many
// the heap had in use before the growth that this follows.
void fill(Superslab *superslab, size_t index, size_t used_slabs);
// The slabs' pages have gone back.
void forget(Superslab *superslab, size_t index, size_t slabs);
// So many warm slabs went with their superslab.
void lose(size_t warm_slabs);

struct Totals {
  size_t bytes;                     // kept warm now
  uint64_t fills, populated_bytes;  // calls of the kernel, and what they made resident
  uint64_t hits, misses;            // never used slabs taken into use: warm ones, others
};
Totals totals();

}  // namespace hakmem::warm_pool

#endif  // HAKMEM_SUPERSLAB_WARM_POOL_H_
