// hakmem.cc - the public C API: each function is its fast path, or one call.
//
// Boundary:   include/hakmem/hakmem.h says what each does. Only hakmem_purge() is put together
//             here, of what each layer can give back.
// Threads:    any.
#include "hakmem/hakmem.h"

#include "api/family.h"
#include "cache/heap_registry.h"
#include "observe/ledger.h"
#include "observe/statistics.h"
#include "observe/writer.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"
#include "superslab/release_policy.h"

using namespace hakmem;

HAKMEM_HOT_EXPORT void *hakmem_malloc(size_t size) { return fast_malloc(size); }

HAKMEM_HOT_EXPORT void hakmem_free(void *block) { fast_free(block); }

HAKMEM_EXPORT void *hakmem_calloc(size_t count, size_t size) { return family::calloc(count, size); }

HAKMEM_EXPORT void *hakmem_realloc(void *block, size_t size) {
  return family::realloc(block, size);
}

HAKMEM_EXPORT void *hakmem_reallocarray(void *block, size_t count, size_t size) {
  return family::reallocarray(block, count, size);
}

HAKMEM_EXPORT void *hakmem_aligned_alloc(size_t alignment, size_t size) {
  return family::aligned_alloc(alignment, size);
}

HAKMEM_EXPORT int hakmem_posix_memalign(void **out, size_t alignment, size_t size) {
  return family::posix_memalign(out, alignment, size);
}

HAKMEM_EXPORT void hakmem_free_sized(void *block, size_t size) { family::free_sized(block, size); }

HAKMEM_EXPORT void hakmem_free_aligned_sized(void *block, size_t, size_t size) {
  family::free_aligned_sized(block, size);
}

HAKMEM_EXPORT size_t hakmem_usable_size(void *block) { return family::usable_size(block); }

HAKMEM_EXPORT size_t hakmem_purge(int level) {
  const uint64_t before = release::totals().discarded_bytes;
  if (t_heap != empty_heap()) drain(t_heap);
  if (level < HAKMEM_PURGE_ALL) return 0;
  if constexpr (kHardened) hardened::empty_quarantine();
  heap_registry::drain_unused();
  heap_registry::common_pool().release_empty_slabs();
  const size_t kept_bytes = huge_blocks::release_kept();
  heap_registry::release_free_pages();
  page_heap::purge_all();
  return kept_bytes + release::totals().discarded_bytes - before;
}

HAKMEM_EXPORT int hakmem_configure(const char *name, const char *value) {
  load_config_from_environment();
  const int error = set_knob(name, value);
  page_heap::look_at_clock_anew();
  return error;
}

HAKMEM_EXPORT size_t hakmem_stats_json(char *buf, size_t cap) {
  return observe::write_json(buf, cap);
}

HAKMEM_EXPORT size_t hakmem_ledger_json(char *buf, size_t cap) {
  if constexpr (kObserve) return observe::write_ledger_json(observe::take_ledger(), buf, cap);
  observe::Writer w(buf, cap);
  w.begin();
  w.text_field("error", "only the observe build keeps the RSS ledger; use libhakmem-observe.so");
  w.close();
  return w.length();
}

HAKMEM_EXPORT const char *hakmem_version(void) {
  return kHardened  ? HAKMEM_VERSION " hardened"
         : kObserve ? HAKMEM_VERSION " observe"
                    : HAKMEM_VERSION " minimal";
}
