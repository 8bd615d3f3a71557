// page_heap.h - runs of slabs: handed out, merged again, and given back to the kernel when they
// age.
//
// Purpose:    the process-wide store of free slabs, over all superslabs.
// Owns:       the lock over superslabs.h, free_runs.h and warm_pool.h; the ages (release_clock.h), by
//             which kept huge blocks age too.
// Boundary:   callers get and return runs; what is in them is theirs. Memory goes back only through
//             the release policy.
// Invariants: two free runs are never neighbours.
//             Age: a slab that stays free over a whole age (half the purge delay) is given back.
// Threads:    any. All take the page heap's lock but backlog(), a tick() that comes too early, and
//             what is for an onlooker or a forked child. Under it only the huge blocks' lock and
//             the address window's are taken.
#ifndef HAKMEM_SUPERSLAB_PAGE_HEAP_H_
#define HAKMEM_SUPERSLAB_PAGE_HEAP_H_

#include <cstddef>
#include <cstdint>

#include "superslab/superslab.h"
#include "superslab/warm_pool.h"

namespace hakmem::page_heap {

// Largest run that is handed out: 4 MiB. Larger blocks have mappings of their own.
inline constexpr size_t kMaxRunSlabs = 64;
inline constexpr size_t kMaxRunBytes = kMaxRunSlabs * kSlabBytes;

struct Run {
  Slab *slab;   // NULL: no memory
  bool zeroed;  // the kernel's zero pages: never touched since
};

// A run of `slabs` slabs for one size class, with a bitmap of `blocks` clear bits.
Run allocate_small(size_t slabs, size_t blocks);
// A run for one large block, its first slab aligned to `align_slabs` (a power of two) slabs.
Run allocate_large(size_t slabs, size_t align_slabs);
// Gives a whole run back.
void free(Slab *slab);
// Gives a large run back that the program frees, or that a heap has kept. False: it is none of the
// kind (any more).
bool free_large(Slab *slab, SlabKind kind = SlabKind::kLarge);
// Makes a large run shorter or longer in place. False: the slabs behind it are not free.
bool resize_large(Slab *slab, size_t new_slabs);

// Gives back what has aged, if the release clock says it is time. Cheap when it is not. Returns the
// number of ages so far, so that callers can age what they keep themselves.
uint32_t tick();
// The purge delay may have changed: the next tick() is to see whether an age is over by now.
void look_at_clock_anew();
// Whether enough memory waits to go back that every slow call should call tick(): after a burst
// slow calls can be rare.
bool backlog();
// Single pages of this superslab have gone back: from now on a touch must not bring a whole huge
// page in again.
void prefer_small_pages(Superslab *superslab);
// Gives back every free page of the superslabs now.
void purge_all();

// Gives address space back to the kernel because somebody found none left: wholly free superslabs,
// the free ends of the others, and what is kept of huge blocks. Whether there was any.
bool give_up_address_space();

struct Totals {
  size_t superslabs, mapped_bytes, free_bytes;
  size_t free_touched_bytes;  // of free_bytes: likely resident, but for warm.bytes
  size_t metadata_bytes;
  // Of free_touched_bytes: resident until the kernel needs them (MADV_FREE), or refused by it.
  size_t offered_bytes;
  warm_pool::Totals warm;
};
Totals totals();

// For an onlooker who holds the lock: the superslabs, linked by `next`.
const Superslab *first_superslab();

void lock_for_fork();
void unlock_after_fork();
void reset_after_fork();
// In a forked child: gives up the runs that heaps of threads kept that are not there.
void free_cached_after_fork();

}  // namespace hakmem::page_heap

#endif  // HAKMEM_SUPERSLAB_PAGE_HEAP_H_
