// cached_blocks.h - every free block that lies in a thread cache or on its way to one.
//
// Purpose:    tell them from the blocks that the program holds: to their slabs both are in use.
// Boundary:   reads heaps that belong to other threads, between heap_registry::freeze() and thaw().
//             It is exact while those threads are still (magazines have no lock); otherwise it may
//             miss the block that is on its way.
#ifndef HAKMEM_OBSERVE_CACHED_BLOCKS_H_
#define HAKMEM_OBSERVE_CACHED_BLOCKS_H_

#include "cache/heap.h"
#include "cache/heap_registry.h"

namespace hakmem::observe {

// kMagazine: at hand for malloc. kTransfer: in the depot, in an inbox, or waiting to go home.
enum class Cached : uint8_t { kMagazine, kTransfer };

namespace detail {

template <class F>
void for_each_in_magazine(void *const *top, size_t bin, Cached where, F f) {
  void **magazine = magazine_of(top);
  for (void *const *slot = sentinel_of(magazine, bin) + 1; slot <= top; ++slot) {
    if (*slot != nullptr) f(*slot, where);  // NULL: the decoy of a class that is watched
  }
}

}  // namespace detail

// Calls f(block, where) for each.
template <class F>
void for_each_cached(F f) {
  for (const Heap *heap = heap_registry::first_heap(); heap != nullptr; heap = heap->next) {
    for (size_t bin = 1; bin < kBinCount; ++bin) {
      const bool remote = bin == kRemoteBin;
      void *const *top =
          remote ? heap->top[bin] : heap->watch.true_top(heap->top, static_cast<SizeClass>(bin));
      detail::for_each_in_magazine(top, bin, remote ? Cached::kTransfer : Cached::kMagazine, f);
    }
    heap->depot.for_each_full([&](SizeClass c, void **magazine) {
      detail::for_each_in_magazine(magazine + kMagazineSlots - 1, c, Cached::kTransfer, f);
    });
    heap->inbox.for_each([&](void *block) { f(block, Cached::kTransfer); });
  }
}

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_CACHED_BLOCKS_H_
