// huge_blocks.h - blocks that have a mapping of their own.
//
// Purpose:    blocks above 4 MiB, or aligned beyond 4 MiB.
// Owns:       a HugeBlock record for each, outside the block, so that it begins on its mapping.
// Boundary:   addresses come from the address window, 32 MiB aligned at least.
// Threads:    allocate/free/resize from any thread; the records' free list has a lock.
#ifndef HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_
#define HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_

#include <cstddef>
#include <cstdint>

namespace hakmem {

struct HugeBlock {
  void *base;
  size_t mapped_bytes;  // usable size: a multiple of the OS page
  HugeBlock *next;      // in the list of unused records
  uint64_t notes[2];    // the hardened variant's; 0 when allocated
};

namespace huge_blocks {

// Zeroed memory; NULL: no memory.
void *allocate(size_t bytes, size_t alignment);
// False: the block is not in use (any more).
bool free(HugeBlock *block);
// New address of the block, moved without copying if need be; NULL: no memory, unchanged.
void *resize(HugeBlock *block, size_t new_bytes);

struct Totals {
  size_t blocks, mapped_bytes;
};
Totals totals();

// For an onlooker who holds the lock: the mappings of the blocks, and of their records.
using ExtentVisitor = void (*)(void *context, const void *base, size_t bytes, bool records);
void for_each_extent(ExtentVisitor visit, void *context);

void lock_for_fork();
void unlock_after_fork();
void reset_after_fork();

}  // namespace huge_blocks
}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_
