#include "observe/statistics.h"

#include "cache/heap_registry.h"
#include "hardened/quarantine.h"
#include "observe/observed.h"
#include "observe/writer.h"
#include "os/guard.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"
#include "superslab/release_policy.h"

namespace hakmem::observe {

size_t write_json(char *buf, size_t cap) {
  Writer w(buf, cap);
  w.begin();
  const page_heap::Totals pages = page_heap::totals();
  w.open("page_heap");
  w.field("superslabs", pages.superslabs);
  w.field("mapped_bytes", pages.mapped_bytes);
  w.field("free_bytes", pages.free_bytes);
  w.field("free_touched_bytes", pages.free_touched_bytes);
  w.field("offered_bytes", pages.offered_bytes);
  w.field("metadata_bytes", pages.metadata_bytes);
  w.close();
  w.open("warm_pool");
  w.field("bytes", pages.warm.bytes);
  w.field("fills", pages.warm.fills);
  w.field("populated_bytes", pages.warm.populated_bytes);
  w.field("hits", pages.warm.hits);
  w.field("misses", pages.warm.misses);
  w.close();
  const huge_blocks::Totals huge = huge_blocks::totals();
  w.open("huge");
  w.field("blocks", huge.blocks);
  w.field("mapped_bytes", huge.mapped_bytes);
  w.field("kept_blocks", huge.kept.blocks);
  w.field("kept_bytes", huge.kept.bytes);
  w.field("hits", huge.kept.hits);
  w.field("grown_hits", huge.kept.grown);
  w.close();
  const release::Totals released = release::totals();
  w.open("release");
  w.field("discard_calls", released.discard_calls);
  w.field("discarded_bytes", released.discarded_bytes);
  w.field("unmap_calls", released.unmap_calls);
  w.field("unmapped_bytes", released.unmapped_bytes);
  w.close();
  const heap_registry::Totals heaps = heap_registry::totals();
  w.open("cache");
  w.field("heaps", heaps.heaps);
  w.field("heaps_in_use", heaps.heaps_in_use);
  w.field("recent_bytes", heaps.recent_bytes);
  w.field("refills", heaps.refills);
  w.field("depot_refills", heaps.depot_refills);
  w.field("flushes", heaps.flushes);
  w.field("depot_flushes", heaps.depot_flushes);
  w.field("remote_flushes", heaps.remote_flushes);
  w.field("remote_blocks", heaps.remote_blocks);
  w.field("mail_blocks", heaps.mail_blocks);
  w.close();
  if constexpr (kHardened) {
    const hardened::quarantine::Totals waiting = hardened::quarantine::totals();
    w.open("hardened");
    w.field("quarantined_blocks", waiting.blocks);
    w.field("quarantined_bytes", waiting.charged_bytes);
    w.field("guards", os::guard::count());
    w.close();
  }
  if constexpr (kObserve) write_observed(&w);
  w.close();
  return w.length();
}

}  // namespace hakmem::observe
