// slab_states.h - what the masks of a superslab say together about its slabs.
//
// Purpose:    how masks change together as slabs are used and freed, and which of the free ones wait
//             to go back to the kernel.
// Boundary:   masks only: which runs the free slabs form is FreeRuns' business, memory the page heap's.
// Invariants: a slab waits if it is free and touched, and the kernel may not take it yet.
// Threads:    under the page heap's lock.
#ifndef HAKMEM_SUPERSLAB_SLAB_STATES_H_
#define HAKMEM_SUPERSLAB_SLAB_STATES_H_

#include <cstddef>
#include <cstdint>

#include "superslab/superslab.h"

namespace hakmem::slab_states {

inline bool wholly_free(const Superslab *superslab) {
  return superslab->free_slabs == superslab->slab_count() - superslab->first_slab;
}

inline void set_used(Superslab *superslab, size_t index, size_t slabs) {
  superslab->free.clear(index, slabs);
  superslab->fresh.clear(index, slabs);
  superslab->due.clear(index, slabs);
  superslab->free_slabs = static_cast<uint16_t>(superslab->free_slabs - slabs);
}

inline void set_free(Superslab *superslab, size_t index, size_t slabs) {
  superslab->free.set(index, slabs);
  superslab->fresh.set(index, slabs);
  superslab->free_slabs = static_cast<uint16_t>(superslab->free_slabs + slabs);
}

// What was freed in the age that ends now is fresh no more; what was free before is due.
inline void begin_age(Superslab *superslab) {
  for (size_t w = 0; w < kSlabMaskWords; ++w) {
    superslab->due.set_word(w, superslab->free.word(w) & ~superslab->fresh.word(w));
    superslab->fresh.set_word(w, 0);
  }
}

inline void set_untouched(Superslab *superslab, size_t index, size_t slabs) {
  superslab->touched.clear(index, slabs);
  superslab->offered.clear(index, slabs);
}

inline uint64_t waiting_word(const Superslab *superslab, size_t w) {
  return superslab->free.word(w) & superslab->touched.word(w) & ~superslab->offered.word(w);
}

// How many slabs of [begin, end) wait.
inline ptrdiff_t count_waiting(const Superslab *superslab, size_t begin, size_t end) {
  ptrdiff_t slabs = 0;
  for (size_t w = begin / 64; w * 64 < end; ++w) {
    uint64_t waiting = waiting_word(superslab, w);
    if (w == begin / 64) waiting &= ~uint64_t{0} << (begin % 64);
    if (end - w * 64 < 64) waiting &= (uint64_t{1} << (end - w * 64)) - 1;
    slabs += static_cast<ptrdiff_t>(count_bits(waiting));
  }
  return slabs;
}

}  // namespace hakmem::slab_states

#endif  // HAKMEM_SUPERSLAB_SLAB_STATES_H_
