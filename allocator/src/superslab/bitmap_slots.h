// bitmap_slots.h - the free bits of slabs with more blocks than their own line has room for.
//
// Purpose:    a slab's record stays 64 bytes; only slabs of small blocks pay for a bitmap.
// Owns:       the slots for bitmaps in a superslab's metadata, as many as it has slabs.
// Boundary:   the page heap takes one with a slab and gives it back with it; the bits are the slab pool's.
// Invariants: the lowest slot is taken, so that few pages of metadata are resident.
// Threads:    under the page heap's lock.
#ifndef HAKMEM_SUPERSLAB_BITMAP_SLOTS_H_
#define HAKMEM_SUPERSLAB_BITMAP_SLOTS_H_

#include <cstdint>

#include "superslab/release_policy.h"
#include "superslab/superslab.h"

namespace hakmem::bitmap_slots {

uint16_t take(Superslab *superslab);
inline void put(Superslab *superslab, uint16_t slot) { superslab->bitmap_slots.clear(slot, 1); }
// Gives the pages of slots back that no slab has any more.
void release_unused(Superslab *superslab, release::Reason reason);

}  // namespace hakmem::bitmap_slots

#endif  // HAKMEM_SUPERSLAB_BITMAP_SLOTS_H_
