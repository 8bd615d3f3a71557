// malloc_slow_of_class.cc - malloc's slow path, told by the fast path what it had found out.
//
// Purpose:    the pass-down experiment: heap and size class are found once, at the entry, and given
//             to every step below, down to refill(). malloc_slow() reads the heap and works out the
//             route and the class again, and looks into the magazine once more.
// Boundary:   reached from fast_malloc() only, where kAllocPassdown is set; the file is part of
//             hakmem_core_passdown alone.
// Threads:    touches only the calling thread's heap.
#include "api/slow_path.h"

namespace hakmem {

void *malloc_slow_of_class(Heap *heap, size_t size_class) {
  // Its magazine is that of the smallest class, which nobody has looked into yet.
  if (size_class == 0) [[unlikely]]
    return malloc_slow(0);
  const auto c = static_cast<SizeClass>(size_class);
  if (void *block = swap_and_pop(heap, c)) return block;
  if (heap != empty_heap()) [[likely]] {
    if (void *block = refill(heap, c, Lending::kAllowed)) [[likely]]
      return block;
  }
  // The thread has no heap yet, or there is no memory.
  return allocate_class(c, Lending::kAllowed);
}

}  // namespace hakmem
