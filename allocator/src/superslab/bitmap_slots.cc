#include "superslab/bitmap_slots.h"

#include <bit>

#include "base/check.h"

namespace hakmem::bitmap_slots {

uint16_t take(Superslab *superslab) {
  for (size_t w = 0; w < kSlabMaskWords; ++w) {
    const uint64_t unused = ~superslab->bitmap_slots.word(w);
    if (unused == 0) continue;
    const size_t slot = w * 64 + static_cast<size_t>(std::countr_zero(unused));
    superslab->bitmap_slots.set(slot, 1);
    if (slot >= superslab->touched_bitmap_slots) {
      superslab->touched_bitmap_slots = static_cast<uint16_t>(slot + 1);
    }
    return static_cast<uint16_t>(slot);
  }
  report_broken_invariant("there are as many bitmap slots as slabs", __FILE__, __LINE__);
  return kNoBitmapSlot;
}

void release_unused(Superslab *superslab, release::Reason reason) {
  const size_t used = superslab->bitmap_slots.end();
  if (used >= superslab->touched_bitmap_slots) return;
  const uintptr_t begin = align_up(address_of(superslab->bitmap(used)), kOsPageBytes);
  const uintptr_t end =
      align_up(address_of(superslab->bitmap(superslab->touched_bitmap_slots)), kOsPageBytes);
  if (begin < end) release::discard(as_pointer(begin), end - begin, reason);
  superslab->touched_bitmap_slots = static_cast<uint16_t>(used);
}

}  // namespace hakmem::bitmap_slots
