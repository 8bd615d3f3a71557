// huge_blocks.h - blocks that have a mapping of their own.
//
// Purpose:    blocks above 4 MiB, or aligned beyond 4 MiB.
// Owns:       which blocks are live, and how one is made: of a new mapping, cut from a kept block, or
//             put together of the pages of several.
// Boundary:   what needs the kernel is huge_mapping's. Which freed blocks are kept with their pages,
//             and which of them serves, is the huge cache's to say.
// Invariants: the address window finds a block as long as the program holds it, and no longer.
// Threads:    any; all under one lock.
#ifndef HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_
#define HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_

#include <cstddef>

#include "superslab/huge_block.h"
#include "superslab/huge_cache.h"

namespace hakmem {

namespace huge_blocks {

enum class Contents { kZeroed, kAny };
// NULL: no memory; there may be some once what is kept has been released.
void *allocate(size_t bytes, size_t alignment, Contents contents);
// False: the block is not in use (any more).
bool free(HugeBlock *block);
// New address of the block, moved without copying if need be; NULL: unchanged, for there is no
// memory, not even without what is kept, or its pages are in several mappings.
void *resize(HugeBlock *block, size_t new_bytes);

// At a tick of the release clock: gives kept blocks of age back, as many as one tick may. Whether
// some are left.
bool release_aged(bool age_begins);
// Gives all that is kept back. Returns the bytes.
size_t release_kept();
// Whether anything is kept; a hint.
bool keeps_any();

struct Totals {
  size_t blocks, mapped_bytes;  // that the program holds
  huge_cache::Totals kept;
};
Totals totals();

// For an onlooker who holds the lock: the mappings of the blocks, and of their records.
enum class Extent { kLive, kKept, kRecords };
using ExtentVisitor = void (*)(void *context, const void *base, size_t bytes, Extent extent);
void for_each_extent(ExtentVisitor visit, void *context);

void lock_for_fork();
void unlock_after_fork();
void reset_after_fork();

}  // namespace huge_blocks
}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_
