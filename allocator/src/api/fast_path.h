// fast_path.h - the whole life of a malloc and of a free, when nothing special happens.
//
// Purpose:    the inline functions that every entry point of hakmem begins with.
// Boundary:   what is not a pop from or a push to one of the thread's own magazines ends in a tail
//             call of a slow path (slow_path.cc); pop() and pop_aligned() return NULL for it.
// Threads:    touches only the calling thread's heap.
#ifndef HAKMEM_API_FAST_PATH_H_
#define HAKMEM_API_FAST_PATH_H_

#include "base/result_register.h"
#include "cache/heap.h"

#define HAKMEM_EXPORT extern "C" __attribute__((visibility("default")))
// On a cache line of its own, so that a function elsewhere never changes how this one is fetched.
#define HAKMEM_HOT_EXPORT extern "C" __attribute__((visibility("default"), aligned(64)))

namespace hakmem {

void *malloc_slow(size_t size);
// malloc_slow() in the pass-down variant (passdown/), of a small request whose magazine looked empty.
// Class 0: a request of 0 bytes.
void *malloc_slow_of_class(Heap *heap, size_t c);
void free_slow(void *block);
// The same, of a block that is said to be of this size.
void free_sized_slow(void *block, size_t size);
// Counts a free of another heap's block (observe build).
void count_remote_free(Heap *heap, const void *block);

// The class of a block in one of this heap's own slabs of small blocks; 0: any other block, or not
// known here. Says nothing of whether the block is live or where it begins.
inline SizeClass own_class(Heap *heap, const void *block) {
  const size_t bin =
      heap->owner_map()[visible_map_index(heap, block)].load(std::memory_order_relaxed);
  return bin < kClassCount ? static_cast<SizeClass>(bin) : SizeClass{0};
}

// A block of the class from the thread's magazine, or NULL if it is empty.
inline void *pop(Heap *heap, size_t c) {
  void **top = heap->top[c];
  keep_out_of_result(top);
  void *block = *top;  // NULL is what lies below the last block
  if (block == nullptr) [[unlikely]]
    return nullptr;
  heap->top[c] = top - 1;
  count_one(heap, &ClassCounters::hits, c);
  return block;
}

inline void *fast_malloc(size_t size) {
  Heap *heap = t_heap;
  if (size <= kMaxSmallBytes) [[likely]] {
    // A request of 0 bytes is class 0, whose magazine is always empty.
    const size_t c = class_by_table(size);
    if (void *block = pop(heap, c)) [[likely]]
      return block;
    if constexpr (kAllocPassdown) return malloc_slow_of_class(heap, c);
  }
  return malloc_slow(size);
}

// A block whose address is a multiple of the alignment, from a magazine. NULL: the slow path has to
// look, at an empty magazine, what is not small, 0 bytes, an alignment that is no power of two.
inline void *pop_aligned(size_t alignment, size_t size) {
  const size_t mask = alignment - 1;
  const size_t padded = (size + mask) & ~mask;  // 0 if the sum overflows
  if ((alignment & mask) != 0 || padded - 1 >= kMaxSmallBytes) [[unlikely]]
    return nullptr;
  // Slabs are aligned to 64 KiB, so a block is aligned as its class's size is.
  return pop(t_heap, class_by_table(padded));
}

// Puts a block into one of the thread's own magazines. False: the slow path has to look.
inline bool push_free(void *block) {
  Heap *heap = t_heap;
  // The class if this heap owns the block's slab; else 0, whose magazine is always full.
  const size_t bin =
      heap->owner_map()[visible_map_index(heap, block)].load(std::memory_order_relaxed);
  void **top = heap->top[bin] + 1;
  if (looks_full(top)) [[unlikely]]
    return false;
  heap->top[bin] = top;
  *top = block;
  if constexpr (kObserve) {
    if (bin < kClassCount) {
      count_one(heap, &ClassCounters::frees, bin);
    } else {
      count_remote_free(heap, block);
    }
  }
  return true;
}

inline void fast_free(void *block) {
  if (!push_free(block)) [[unlikely]]
    return free_slow(block);
}

}  // namespace hakmem

#endif  // HAKMEM_API_FAST_PATH_H_
