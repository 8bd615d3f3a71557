// huge_mapping.h - the kernel's mappings that huge blocks lie in.
//
// Purpose:    make, resize, move and give back a block's mapping, and hand its pages to another block,
//             with the HugeBlock always saying what is true.
// Boundary:   addresses come from the address window, 32 MiB aligned at least. Which block serves whom
//             is decided elsewhere. Nobody needs what is in the pages that move_tail() moves.
// Invariants: what the kernel refuses changes nothing, unless a function says what is lost.
// Threads:    under the huge blocks' lock.
#ifndef HAKMEM_SUPERSLAB_HUGE_MAPPING_H_
#define HAKMEM_SUPERSLAB_HUGE_MAPPING_H_

#include <cstddef>

#include "superslab/huge_block.h"

namespace hakmem::huge_mapping {

// A block of so many bytes, neither live nor published. NULL: no memory.
HugeBlock *map(size_t bytes, size_t alignment);
// Gives mapping and record back. False: the kernel refuses, as it does only when splitting mappings
// would exceed its limit.
bool unmap(HugeBlock *block);

// Asks for huge pages in a block that is large enough; what asked for them once and is not any more
// shall not grow by whole huge pages.
void advise(HugeBlock *block);

bool shrink(HugeBlock *block, size_t bytes);
// Published on success.
bool grow_in_place(HugeBlock *block, size_t bytes);
// Moves the block's pages to a mapping of another size, which is not published. False: no room, or they
// are in several mappings.
bool move(HugeBlock *block, size_t bytes, size_t alignment);

// Moves pages from the source's end to `*at` in the target: whole page tables, as many as it lacks,
// of one mapping, and none that the program may use. The source has one to give. Advances *at. The
// source becomes shorter, maybe empty: what the kernel does not move goes back to the kernel. False: refused; the target may have
// become shorter.
bool move_tail(HugeBlock *source, HugeBlock *target, size_t *at);

}  // namespace hakmem::huge_mapping

#endif  // HAKMEM_SUPERSLAB_HUGE_MAPPING_H_
