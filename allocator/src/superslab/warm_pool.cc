#include "superslab/warm_pool.h"

#include "base/check.h"
#include "config/config.h"
#include "os/os.h"
#include "superslab/release_policy.h"

namespace hakmem::warm_pool {
namespace {

// A later fill needs a heap so many times as large as the pool.
constexpr size_t kHeapShare = 8;

constinit size_t g_slabs = 0;
constinit size_t g_small_growth_slabs = 0;  // since the last fill
constinit Totals g_totals{};

// The free slabs from `index` on, without a gap, that were never touched; `most` ends the search.
size_t untouched_run(const Superslab *superslab, size_t index, size_t most) {
  const size_t end =
      index + most < superslab->slab_count() ? index + most : superslab->slab_count();
  size_t at = index;
  while (at < end && superslab->free.test(at) && !superslab->touched.test(at)) ++at;
  return at - index;
}

}  // namespace

size_t wanted_slabs() {
  if constexpr (kHardened) return 0;
  return div_up(static_cast<size_t>(warm_pool_kb()) * kKiB, kSlabBytes);
}

bool is_empty() { return g_slabs == 0; }

void take(Superslab *superslab, size_t index, size_t slabs) {
  const size_t warm = superslab->warm.count(index, slabs);
  g_totals.hits += warm;
  g_totals.misses += slabs - warm - superslab->touched.count(index, slabs);
  if (warm > 0) forget(superslab, index, slabs);
}

void grow_small(size_t slabs) { g_small_growth_slabs += slabs; }

void fill(Superslab *superslab, size_t index, size_t used_slabs) {
  ASSERT(is_empty());
  const size_t wanted = wanted_slabs();
  const bool grows = used_slabs >= kHeapShare * wanted && g_small_growth_slabs >= wanted;
  if (used_slabs > 0 && !grows) return;
  size_t slabs = untouched_run(superslab, index, wanted);
  // Part of a huge page would make all of it resident.
  if (superslab->huge_pages) {
    const size_t end = align_down(index + slabs, kHugePageSlabs);
    slabs = end > index ? end - index : 0;
  }
  if (slabs == 0) return;
  void *base = as_pointer(superslab->address() + index * kSlabBytes);
  g_small_growth_slabs = 0;  // refused or not: the next try comes after as much growth again
  if (!os::g_kernel->populate(base, slabs * kSlabBytes)) {
    static_cast<void>(release::discard(base, slabs * kSlabBytes, release::Reason::kDemand));
    return;
  }
  superslab->warm.set(index, slabs);
  g_slabs = slabs;
  ++g_totals.fills;
  g_totals.populated_bytes += slabs * kSlabBytes;
}

void forget(Superslab *superslab, size_t index, size_t slabs) {
  lose(superslab->warm.count(index, slabs));
  superslab->warm.clear(index, slabs);
}

void lose(size_t warm_slabs) {
  ASSERT(warm_slabs <= g_slabs);
  g_slabs -= warm_slabs;
}

Totals totals() {
  Totals t = g_totals;
  t.bytes = g_slabs * kSlabBytes;
  return t;
}

}  // namespace hakmem::warm_pool
