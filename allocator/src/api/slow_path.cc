// slow_path.cc - malloc and free when the thread's magazine cannot serve, and all that is not
// small.
#include "api/slow_path.h"

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "cache/heap_registry.h"
#include "hardened/hardened.h"
#include "os/os.h"
#include "slab/locate.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

using What = Location::What;

void *no_memory() {
  errno = ENOMEM;
  return nullptr;
}

Heap *own_heap() {
  Heap *heap = t_heap;
  return heap != empty_heap() ? heap : heap_registry::adopt();
}

// A thread that only frees wants a heap too: to take blocks home in batches.
Heap *own_heap_to_free() {
  Heap *heap = t_heap;
  return heap != empty_heap() ? heap : heap_registry::adopt_to_free();
}

// Memory or address space has run out. Calls `attempt` (which returns NULL for "still not") again
// after giving up what is only cached, and again after giving up address space.
template <class Attempt>
void *retry_without_caches(Attempt attempt) {
  if (t_heap != empty_heap()) drain(t_heap);
  heap_registry::drain_unused();
  heap_registry::common_pool().release_empty_slabs();
  void *block = attempt();
  if (block == nullptr && page_heap::give_up_address_space()) block = attempt();
  return block;
}

// Much memory has become free: it ages, also if the thread makes few slow calls from now on.
void age_what_is_free() {
  page_heap::tick();
  if (t_heap != empty_heap()) come_back_soon(t_heap);
}

void free_large(Slab *slab, void *block) {
  Heap *heap = own_heap_to_free();
  if (heap != nullptr && keep_recent(heap, slab)) return;
  const size_t bytes = slab->run_slabs * kSlabBytes;  // a second free races with the first
  if (!page_heap::free_large(slab)) report_double_free(block, bytes);
  age_what_is_free();
}

void free_huge(HugeBlock *huge, void *block) {
  const size_t bytes = huge->usable_bytes;  // as in free_large
  if (!huge_blocks::free(huge)) report_double_free(block, bytes);
  age_what_is_free();
}

void free_small(Slab *slab, void *block) {
  Heap *heap = own_heap_to_free();
  const SizeClass c = slab->size_class;
  if (heap == nullptr) {
    heap_registry::count_free_without_heap(c);
    slab->owner->put(c, &block, 1);
    return heap_registry::age_without_heap();
  }
  if (slab->owner != &heap->pool) {
    count_one(heap, &ClassCounters::remote_frees, c);
    return free_remote(heap, slab, block);
  }
  count_one(heap, &ClassCounters::frees, c);
  if (looks_full(heap->top[c] + 1)) return flush_and_push(heap, c, block);
  *++heap->top[c] = block;
}

}  // namespace

// What a misuse brings here may be no small block.
void count_remote_free(Heap *heap, const void *block) {
  if constexpr (kObserve) {
    const Location location = locate(block);
    if (location.what == What::kSmall) {
      count_one(heap, &ClassCounters::remote_frees, location.slab->size_class);
    }
  }
}

namespace {

// By the block's own class: it may have been lent by a larger one.
void count_refill(Heap *heap, const void *block) {
  if constexpr (kObserve) count_one(heap, &ClassCounters::refills, slab_of(block)->size_class);
}

void *try_class(SizeClass c, Lending lending) {
  Heap *heap = own_heap();
  void *block = nullptr;
  if (heap != nullptr) [[likely]] {
    block = pop(heap, c);
    if (block != nullptr) return block;
    block = refill(heap, c, lending);
    if (block != nullptr) count_refill(heap, block);
  } else {
    SlabPool &pool = heap_registry::common_pool();
    heap_registry::age_without_heap();
    if (pool.take_used(c, &block + 1, 1) == 0 && pool.take_new(c, &block + 1, 1) == 0)
      return nullptr;
  }
  return block;
}

Big try_big(size_t size, size_t alignment, Contents wanted) {
  if (size <= page_heap::kMaxRunBytes && alignment <= page_heap::kMaxRunBytes) {
    give_back_recent(t_heap);
    const size_t align_slabs = alignment <= kSlabBytes ? 1 : alignment / kSlabBytes;
    const size_t slabs = size == 0 ? 1 : div_up(size, kSlabBytes);
    const page_heap::Run run = page_heap::allocate_large(slabs, align_slabs);
    page_heap::tick();
    if (run.slab == nullptr) return {nullptr, false};
    heap_registry::forget_remote(run.slab);
    return {as_pointer(slab_address(run.slab)), run.zeroed};
  }
  void *block = huge_blocks::allocate(size, alignment, wanted);
  page_heap::tick();
  return {block, wanted == Contents::kZeroed};
}

}  // namespace

void *allocate_class(SizeClass c, Lending lending) {
  void *block = try_class(c, lending);
  if (block == nullptr) [[unlikely]]
    block = retry_without_caches([&] { return try_class(c, lending); });
  return block != nullptr ? block : no_memory();
}

Big allocate_big(size_t size, size_t alignment, Contents wanted) {
  load_config_from_environment();
  heap_registry::install_fork_hooks();
  if (size > PTRDIFF_MAX) return {no_memory(), false};
  Big big = try_big(size, alignment, wanted);
  if (big.block == nullptr && size <= os::hopeless_above_bytes()) [[unlikely]] {
    retry_without_caches([&] { return (big = try_big(size, alignment, wanted)).block; });
  }
  if (big.block == nullptr) no_memory();
  return big;
}

namespace {

// A large block of a run that this thread has freed of late, if that is all that is to be done.
void *take_recent(Heap *heap, size_t size) {
  if (size > HeapRecentRuns::kMostBytes || heap->calls_to_tick == 0) return nullptr;
  Slab *run = heap->recent.take(div_up(size, kSlabBytes));
  if (run == nullptr) return nullptr;
  --heap->calls_to_tick;
  return as_pointer(slab_address(run));
}

}  // namespace

void *malloc_slow(size_t size) {
  if constexpr (kHardened) return hardened::allocate(size, kMinAlign);
  if (size == 0) return fast_malloc(1);
  if (size <= kMaxSmallBytes) [[likely]] {
    const SizeClass c = class_of(size);  // the fast path found its magazine empty
    if (void *block = swap_and_pop(t_heap, c)) return block;
    return allocate_class(c, Lending::kAllowed);
  }
  if (void *block = take_recent(t_heap, size)) return block;
  return allocate_big(size, kMinAlign, Contents::kAny).block;
}

void free_slow(void *block) {
  if (block == nullptr) return;
  if constexpr (kHardened) return hardened::free(block);
  Heap *heap = t_heap;
  if (map_is_hidden(heap)) answer_hidden_map(heap);
  if (const SizeClass c = own_class(heap, block);
      c != 0) {  // its magazine is full, or the map was hidden
    count_one(heap, &ClassCounters::frees, c);
    return flush_and_push(heap, c, block);
  }
  const Location location = locate_live("free", block);
  switch (location.what) {
    case What::kSmall:
      return free_small(location.slab, block);
    case What::kLarge:
      return free_large(location.slab, block);
    default:
      return free_huge(location.huge, block);
  }
}

void free_sized_slow(void *block, size_t size) {
  if (t_heap == empty_heap()) free_checked_size(block, size);
  free_slow(block);
}

namespace {

// Shrinking to less than half is worth a copy, unless there is no smaller block.
bool stays_small(size_t size, size_t usable) {
  return size <= usable && (size >= usable / 2 || usable == kMinAlign);
}

// A block that grows by little is likely to grow on, and gets the rest of half a doubling: then the next
// steps are in place. What grows by more than this share of itself knows what it does.
constexpr size_t kLittleGrowthShare = 4;

size_t with_room_to_grow(size_t size, size_t usable) {
  if (size <= usable || size - usable > usable / kLittleGrowthShare || size > kMaxSmallBytes)
    return size;
  return align_up(size, std::bit_floor(size - 1) / 2);
}

// NULL, and the block as it was, if there is no memory.
void *copy_and_free(void *block, size_t usable, size_t size) {
  const size_t roomy = with_room_to_grow(size, usable);
  const int saved_errno = errno;
  void *fresh = fast_malloc(roomy);
  if (fresh == nullptr && roomy != size) {
    fresh = fast_malloc(size);
    if (fresh != nullptr) errno = saved_errno;
  }
  if (fresh == nullptr) return nullptr;
  memcpy(fresh, block, size < usable ? size : usable);
  fast_free(block);
  return fresh;
}

// The same; but a block that was to shrink, and finds no room for its copy, stays as large as it is. Not
// where the sizes of frees are checked: it would be reported as a mismatch then.
void *copy_or_stay(void *block, size_t usable, size_t size) {
  const int saved_errno = errno;
  void *fresh = copy_and_free(block, usable, size);
  if (fresh == nullptr && size <= usable && knob(g_config.check) == 0) {
    errno = saved_errno;
    return block;
  }
  return fresh;
}

}  // namespace

void *allocate_aligned(size_t alignment, size_t size) {
  if constexpr (kHardened) return hardened::allocate(size, alignment);
  if (alignment <= kMinAlign) return fast_malloc(size);
  if (size <= kMaxSmallBytes && alignment <= kMaxSmallBytes) {
    // Slabs are aligned to 64 KiB, so a block is aligned if its class size is a multiple.
    const SizeClass c = class_of(align_up(size == 0 ? 1 : size, alignment));
    Heap *heap = t_heap;
    if (void *block = pop(heap, c)) return block;
    if (void *block = swap_and_pop(heap, c)) return block;
    return allocate_class(c, Lending::kForbidden);
  }
  return allocate_big(size, alignment, Contents::kAny).block;
}

size_t usable_size_of(void *block) {
  if constexpr (kHardened) return hardened::usable_size(block);
  if (const SizeClass c = own_class(t_heap, block); c != 0) return class_bytes(c);
  return usable_bytes(locate_live("usable_size", block));
}

void *resize(void *block, size_t size) {
  if constexpr (kHardened) return hardened::resize(block, size);
  if (const SizeClass c = own_class(t_heap, block); c != 0) {
    const size_t usable = class_bytes(c);
    return stays_small(size, usable) ? block : copy_or_stay(block, usable, size);
  }
  const Location location = locate_live("realloc", block);
  const size_t usable = usable_bytes(location);
  bool stays_huge = false;
  switch (location.what) {
    case What::kSmall:
      if (stays_small(size, usable)) return block;
      break;
    case What::kLarge:
      if (size > usable) give_back_recent(t_heap);  // one of them may lie behind the block
      if (size > kMaxSmallBytes && size <= page_heap::kMaxRunBytes &&
          page_heap::resize_large(location.slab, div_up(size, kSlabBytes))) {
        return block;
      }
      break;
    default:
      stays_huge = size > page_heap::kMaxRunBytes && size <= PTRDIFF_MAX;
      if (stays_huge) {
        void *moved = huge_blocks::resize(location.huge, size);
        if (moved != nullptr) [[likely]]
          return moved;
      }
      break;
  }
  const int saved_errno = errno;
  void *fresh = copy_or_stay(block, usable, size);
  if (fresh == nullptr && stays_huge) {
    // There is no room for a copy, not even without the caches, but moving needs none.
    fresh = huge_blocks::resize(location.huge, size);
    if (fresh != nullptr) errno = saved_errno;
  }
  return fresh;
}

void free_checked_size(void *block, size_t size) {
  if (block == nullptr) return;
  if constexpr (kHardened) return hardened::check_size(block, size);
  if (knob(g_config.check) == 0) return;  // a thread may be without a heap for other reasons
  const size_t usable = usable_bytes(locate_live("free_sized", block));
  // A block may have been shrunk in place by realloc, to no less than half.
  const bool right =
      usable > kMaxSmallBytes
          ? size > kMaxSmallBytes && size <= usable
          : size <= usable && (size >= usable / 2 || class_bytes(class_of(size)) == usable);
  if (!right) report_size_mismatch(block, size, usable);
}

}  // namespace hakmem
