// huge_cache.h - memory of huge blocks that the program does not need, kept with its pages for the next.
//
// Purpose:    a freed huge block serves the next huge request without a page fault for each page.
// Owns:       the lists of kept blocks, and of live ones that serve a request smaller than themselves: the
//             rest, a block's spare, is kept where it is. How much may be kept, and the ages.
// Boundary:   huge_blocks puts in and takes out; it does all that needs the kernel. Nothing here
//             touches a mapping.
// Invariants: bytes live + bytes kept <= HAKMEM_HUGE_CACHE_PERCENT % of the most bytes that were
//             live at a time in this age or the last, once the excess is given back; so at 100 % the
//             cache never makes a peak higher. What the kernel refuses to take back is kept beyond
//             that until it does.
//             What stays here over a whole age is aged.
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
// A live block's spare is kept no longer, if it was.
void remove_spare(HugeBlock *block);
// The smallest kept block of at least `bytes`; if there is none, the largest of all. It is aligned to
// `alignment`. NULL: there is none.
HugeBlock *take_best(size_t bytes, size_t alignment);
// How much more is kept than may be.
size_t excess_bytes();
// A live block with a spare page table at least. NULL: there is none.
HugeBlock *take_spare();
// Kept blocks, and when there are no more live ones with their spare. NULL: there is none.
HugeBlock *take_smallest();
HugeBlock *take_aged();
HugeBlock *take_any();

void begin_age();

// Whether anything is kept; a hint, without the lock.
bool any();

struct Totals {
  size_t blocks;         // kept now
  size_t bytes;          // of them, and spare
  uint64_t hits, grown;  // requests served: by a block that was large enough, or made larger
};
Totals totals();

// A block that was taken serves a request.
void count_hit(bool grown);

}  // namespace huge_cache
}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_HUGE_CACHE_H_
