#include "observe/census.h"

#include "observe/cached_blocks.h"
#include "slab/locate.h"
#include "superslab/page_heap.h"

namespace hakmem::observe {
namespace {

void count_small(const Slab &slab, Census *census) {
  ClassCensus &c = census->classes[slab.size_class];
  const uint64_t carved = slab.carved.load(std::memory_order_relaxed);
  c.blocks_out += slab.used;
  c.blocks_free += carved - slab.used;
  c.blocks_new += slab.capacity - carved;
  if (slab.used == 0) {
    ++c.empty_slabs;
    census->empty_slab_bytes += slab.run_slabs * kSlabBytes;
  } else {
    ++(slab.used == slab.capacity ? c.full_slabs : c.partial_slabs);
  }
}

void count_superslab(const Superslab &superslab, Census *census) {
  ++census->superslabs;
  for (size_t i = superslab.first_slab; i < superslab.slab_count();) {
    const Slab &slab = superslab.slabs[i];
    const SlabKind kind = slab.kind();  // a running thread may change it meanwhile
    if (superslab.free.test(i)) {
      ++census->free_runs;
      census->free_bytes += slab.run_slabs * kSlabBytes;
      for (size_t free = i; free < i + slab.run_slabs; ++free) {
        if (superslab.touched.test(free)) census->free_touched_bytes += kSlabBytes;
      }
    } else if (kind == SlabKind::kLarge) {
      ++census->large_runs;
      census->large_bytes += slab.run_slabs * kSlabBytes;
    } else if (kind == SlabKind::kCached) {
      ++census->recent_runs;
      census->recent_bytes += slab.run_slabs * kSlabBytes;
    } else {
      count_small(slab, census);
    }
    i += slab.run_slabs;
  }
}

}  // namespace

Census count() {
  Census census{};
  heap_registry::freeze();
  for (const Superslab *s = page_heap::first_superslab(); s != nullptr; s = s->next) {
    count_superslab(*s, &census);
  }
  for_each_cached([&](void *block, Cached) {
    const Location location = locate(block);
    if (location.what != Location::What::kSmall) return;  // see remote.h
    ++census.classes[location.slab->size_class].blocks_cached;
  });
  heap_registry::thaw();
  return census;
}

}  // namespace hakmem::observe
