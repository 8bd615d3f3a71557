// slow_path.h - what the entry points call when the fast path does not serve.
//
// Purpose:    send a request to the cache, a run of slabs or a mapping, and a free to the owner of
//             the block; try again without caches when there is no memory.
// Boundary:   functions that allocate return NULL with errno = ENOMEM when there is no memory, and
//             leave errno alone otherwise. Pointers from the program are proved by locate_live().
// Threads:    any.
#ifndef HAKMEM_API_SLOW_PATH_H_
#define HAKMEM_API_SLOW_PATH_H_

#include <cstddef>

#include "api/fast_path.h"
#include "superslab/huge_blocks.h"

namespace hakmem {

struct Big {
  void *block;
  bool zeroed;  // known to be all zero
};

// A block from the depot, if that is all that is to be done; the class's magazine looks empty.
inline void *swap_and_pop(Heap *heap, SizeClass c) {
  // What is watched is hidden, and now and then it is time for more than a swap.
  if (heap->calls_to_tick != 0 && !heap->watch.hidden()) {
    if (void *block = pop_from_reserve(heap, c)) {
      --heap->calls_to_tick;
      count_one(heap, &ClassCounters::refills, c);
      return block;
    }
  }
  return nullptr;
}

void *allocate_class(SizeClass c, Lending lending);
// Large or huge; alignment is a power of two. If zeroed memory is wanted, that known to be so is
// preferred.
using huge_blocks::Contents;
Big allocate_big(size_t size, size_t alignment, Contents wanted);
// Any alignment that is a power of two.
void *allocate_aligned(size_t alignment, size_t size);
// `block` is not NULL.
size_t usable_size_of(void *block);
// `block` is not NULL and `size` not 0.
void *resize(void *block, size_t size);
// Aborts if a block of this size cannot be `block`.
void free_checked_size(void *block, size_t size);

}  // namespace hakmem

#endif  // HAKMEM_API_SLOW_PATH_H_
