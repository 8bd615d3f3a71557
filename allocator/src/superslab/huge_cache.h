// huge_cache.h - huge blocks that the program has freed, kept with their pages for the next.
//
// Purpose:    a freed huge block serves the next huge request without a page fault for each page.
// Owns:       the list of kept blocks, how much may be kept, and their ages.
// Boundary:   huge_blocks puts in and takes out; it does all that needs the kernel. Nothing here
//             touches a mapping.
// Invariants: bytes live + bytes kept <= HAKMEM_HUGE_CACHE_PERCENT % of the most bytes that were
//             live at a time in this age or the last, once the excess is given back; so at 100 % the
//             cache never makes a peak higher. Blocks that the kernel refuses to take back are kept
//             beyond that until it does.
//             A block that stays here over a whole age is aged.
// Threads:    all but any() under the huge blocks' lock.
// Gate:       HAKMEM_HUGE_CACHE_PERCENT; the hardened variant, whose blocks have guard pages, keeps
//             none.
#ifndef HAKMEM_SUPERSLAB_HUGE_CACHE_H_
#define HAKMEM_SUPERSLAB_HUGE_CACHE_H_

#include <cstddef>
#include <cstdint>

namespace hakmem {

struct HugeBlock;

namespace huge_cache {

// How many bytes are live now; to be told at each change.
void follow_live(size_t live_bytes);

// Its age is as `ages` says.
void put(HugeBlock *block);
// The smallest block of at least `bytes`; if there is none, the largest of all. It is aligned to
// `alignment`. NULL: there is none.
HugeBlock *take_best(size_t bytes, size_t alignment);
// How much more is kept than may be.
size_t excess_bytes();
// NULL: there is none.
HugeBlock *take_smallest();
// A block of age. NULL: there is none.
HugeBlock *take_aged();
HugeBlock *take_any();

void begin_age();

// Whether anything is kept; a hint, without the lock.
bool any();

struct Totals {
  size_t blocks, bytes;  // kept now
  uint64_t hits, grown;  // requests served: by a block that was large enough, or made larger
};
Totals totals();

// A block that was taken serves a request.
void count_hit(bool grown);

}  // namespace huge_cache
}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_HUGE_CACHE_H_
