// malloc_family.cc - the C library's malloc family under its own names.
//
// Purpose:    LD_PRELOAD=libhakmem.so, or -lhakmem.
// Boundary:   each function is hakmem's own fast path or one call into the family; symbols that a C
//             library has and we lacked would hand out blocks that our free() does not know.
#include <malloc.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>

#include "api/family.h"
#include "cache/heap_registry.h"
#include "hakmem/hakmem.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"

using namespace hakmem;

namespace {

// Who has registered with pthread_atfork after us has all his handlers called while no lock of ours
// is held, so that they may allocate. So we come first: the linker is told to have libhakmem.so
// begin before all other libraries.
[[gnu::constructor(101)]] void begin() {
  if constexpr (kHardened) {
    hardened::start();
  } else {
    heap_registry::install_fork_hooks();
  }
}

}  // namespace

HAKMEM_HOT_EXPORT void *malloc(size_t size) { return fast_malloc(size); }
HAKMEM_HOT_EXPORT void free(void *block) { fast_free(block); }
HAKMEM_EXPORT void cfree(void *block) { fast_free(block); }
HAKMEM_EXPORT void *calloc(size_t count, size_t size) { return family::calloc(count, size); }
HAKMEM_EXPORT void *realloc(void *block, size_t size) { return family::realloc(block, size); }
HAKMEM_EXPORT void *reallocarray(void *block, size_t count, size_t size) {
  return family::reallocarray(block, count, size);
}
HAKMEM_EXPORT void free_sized(void *block, size_t size) { family::free_sized(block, size); }
HAKMEM_EXPORT void free_aligned_sized(void *block, size_t, size_t size) {
  family::free_aligned_sized(block, size);
}

HAKMEM_EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  return family::aligned_alloc(alignment, size);
}
// As glibc: an alignment that is no power of two is rounded up to the next.
HAKMEM_EXPORT void *memalign(size_t alignment, size_t size) {
  if (void *block = pop_aligned(alignment, size)) [[likely]]
    return block;
  if (alignment > SIZE_MAX / 2 + 1) return family::fail(EINVAL);
  return family::aligned_alloc(std::bit_ceil(alignment), size);
}
HAKMEM_EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
  return family::posix_memalign(out, alignment, size);
}
HAKMEM_EXPORT void *valloc(size_t size) { return family::aligned_alloc(kOsPageBytes, size); }
HAKMEM_EXPORT void *pvalloc(size_t size) {
  if (size > PTRDIFF_MAX) return family::fail(ENOMEM);
  return family::aligned_alloc(kOsPageBytes, align_up(size == 0 ? 1 : size, kOsPageBytes));
}

// glibc's second names, for programs that wrap malloc.
HAKMEM_EXPORT void *__libc_malloc(size_t size) { return fast_malloc(size); }
HAKMEM_EXPORT void __libc_free(void *block) { fast_free(block); }
HAKMEM_EXPORT void *__libc_calloc(size_t count, size_t size) { return family::calloc(count, size); }
HAKMEM_EXPORT void *__libc_realloc(void *block, size_t size) {
  return family::realloc(block, size);
}
HAKMEM_EXPORT void *__libc_memalign(size_t alignment, size_t size) {
  return memalign(alignment, size);
}
HAKMEM_EXPORT void *__libc_valloc(size_t size) { return family::aligned_alloc(kOsPageBytes, size); }
HAKMEM_EXPORT void *__libc_pvalloc(size_t size) { return pvalloc(size); }

HAKMEM_EXPORT size_t malloc_usable_size(void *block) { return family::usable_size(block); }

// Whether memory went back; the padding that glibc would keep has no meaning here.
HAKMEM_EXPORT int malloc_trim(size_t) { return hakmem_purge(HAKMEM_PURGE_ALL) > 0; }

// glibc's parameters do not apply; they are accepted so that programs that set them go on.
HAKMEM_EXPORT int mallopt(int, int) { return 1; }

HAKMEM_EXPORT struct mallinfo2 mallinfo2(void) {
  const page_heap::Totals pages = page_heap::totals();
  const huge_blocks::Totals huge = huge_blocks::totals();
  const size_t used_bytes = pages.mapped_bytes - pages.free_bytes - pages.metadata_bytes;
  // Other threads go on meanwhile.
  const size_t recent_bytes = std::min(heap_registry::totals().recent_bytes, used_bytes);
  struct mallinfo2 info = {};
  info.arena = pages.mapped_bytes + huge.kept.bytes;
  info.hblks = huge.blocks;
  info.hblkhd = huge.mapped_bytes;
  info.fordblks = pages.free_bytes + recent_bytes + huge.kept.bytes;
  info.uordblks = used_bytes - recent_bytes;
  info.keepcost = pages.free_touched_bytes + huge.kept.bytes;
  return info;
}

HAKMEM_EXPORT struct mallinfo mallinfo(void) {
  const struct mallinfo2 wide = mallinfo2();
  const auto narrow = [](size_t n) { return static_cast<int>(n < INT32_MAX ? n : INT32_MAX); };
  struct mallinfo info = {};
  info.arena = narrow(wide.arena);
  info.hblks = narrow(wide.hblks);
  info.hblkhd = narrow(wide.hblkhd);
  info.fordblks = narrow(wide.fordblks);
  info.uordblks = narrow(wide.uordblks);
  info.keepcost = narrow(wide.keepcost);
  return info;
}

HAKMEM_EXPORT int malloc_info(int options, FILE *stream) {
  if (options != 0) {
    errno = EINVAL;
    return -1;
  }
  const struct mallinfo2 info = mallinfo2();
  return fprintf(stream,
                 "<malloc version=\"hakmem " HAKMEM_VERSION
                 "\">\n"
                 "<system type=\"current\" size=\"%zu\"/>\n"
                 "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
                 "<aspace type=\"total\" size=\"%zu\"/>\n"
                 "</malloc>\n",
                 info.arena, info.hblks, info.hblkhd, info.arena + info.hblkhd) < 0
             ? -1
             : 0;
}

HAKMEM_EXPORT void malloc_stats(void) {
  char text[kObserve ? 48 * 1024 : 4096];  // the observe build has a line of fields for each class
  const size_t length = hakmem_stats_json(text, sizeof text);
  fprintf(stderr, "hakmem: %.*s\n", static_cast<int>(length), text);
}
