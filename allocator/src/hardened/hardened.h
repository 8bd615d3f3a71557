// hardened.h - malloc and free of the hardened variant.
//
// Purpose:    catch misuse where it happens: every free is proved at once, freed blocks are
//             poisoned and wait in quarantine, live ones end in a canary, large ones in an
//             inaccessible page, and small ones lie where chance puts them.
// Owns:       the order of these steps; the mechanisms are in seal, quarantine, big_blocks and
//             slab/random_take.
// Boundary:   takes the place of the thread caches above the slabs: no thread has a heap, so every
//             call of the malloc family comes here. Compiled into hakmem_core_hardened only.
// Invariants: the usable size of a block is what was asked for, to the byte.
//             A small block waits in quarantine only poisoned; it goes from there to its slab,
//             whose bitmap proves it once more.
// Threads:    any.
#ifndef HAKMEM_HARDENED_HARDENED_H_
#define HAKMEM_HARDENED_HARDENED_H_

#include <cstddef>

namespace hakmem::hardened {

// fork then takes every lock first. The first allocation does it too.
void start();
// Both return NULL with errno = ENOMEM when there is no memory. alignment is a power of two.
void *allocate(size_t size, size_t alignment);
void *allocate_zeroed(size_t size);
// For blocks that are not NULL: each ends the process with a report that names the `operation` if
// the block is not live.
void free(void *block);
void *resize(void *block, size_t size);
size_t usable_size(void *block);
void check_size(void *block, size_t size);
// Empties the quarantine; whatever waits there is verified.
void empty_quarantine();

}  // namespace hakmem::hardened

#endif  // HAKMEM_HARDENED_HARDENED_H_
