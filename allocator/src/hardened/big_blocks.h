// big_blocks.h - large and huge blocks of the hardened variant: an inaccessible page behind each.
//
// Purpose:    let a read or write past the end fault at once, and every use of a freed large block.
// Owns:       two words of each block's record (Slab::inline_bits, which large runs do not need,
//             and HugeBlock::notes).
// Boundary:   turns requests into runs and mappings of the layers below. Waiting in quarantine is
//             the caller's decision; retire() and bury() are the two ends of it.
// Invariants: from the end of the last page that holds a byte asked for, a guarded block is
//             inaccessible to its end. Below it, behind what was asked for, lies canary.
// Threads:    any; each function on a block that the caller holds.
#ifndef HAKMEM_HARDENED_BIG_BLOCKS_H_
#define HAKMEM_HARDENED_BIG_BLOCKS_H_

#include <cstddef>

#include "slab/locate.h"

namespace hakmem::hardened::big_blocks {

// NULL: no memory. *zeroed: what was asked for is all zero.
void *allocate(size_t size, size_t alignment, bool *zeroed);
// The bytes asked for. Ends the process if the block was freed or written beyond.
size_t asked_bytes(const Location &location);
// Another size in the same place (huge blocks may move). NULL: cannot be done; unchanged.
void *resize(const Location &location, size_t size);
// Takes a large block's memory away and leaves its address space inaccessible. False: it cannot be
// done; the block is as it was.
bool retire(Slab *slab);
// Gives a retired block's address space back.
void bury(Slab *slab);
// Gives a live block back at once.
void free(const Location &location);

}  // namespace hakmem::hardened::big_blocks

#endif  // HAKMEM_HARDENED_BIG_BLOCKS_H_
