#include "remote/remote.h"

#include "base/check.h"
#include "slab/locate.h"
#include "slab/slab_pool.h"
#include "superslab/page_heap.h"

namespace hakmem::remote {

void give_home(void **blocks, size_t count) {
  size_t begin = 0;
  while (begin < count) {
    const Location first = locate_live("free", blocks[begin]);
    if (first.what == Location::What::kLarge) {
      if (!page_heap::free_large(first.slab)) report_double_free(blocks[begin], 0);
      ++begin;
      continue;
    }
    if (first.what == Location::What::kHuge) {
      if (!huge_blocks::free(first.huge)) report_double_free(blocks[begin], 0);
      ++begin;
      continue;
    }
    // Gather all of the same owner and class behind the first.
    SlabPool *owner = first.slab->owner;
    const SizeClass c = first.slab->size_class;
    size_t end = begin + 1;
    for (size_t i = end; i < count; ++i) {
      const Location other = locate_live("free", blocks[i]);
      if (other.what != Location::What::kSmall || other.slab->owner != owner ||
          other.slab->size_class != c) {
        continue;
      }
      void *const block = blocks[i];
      blocks[i] = blocks[end];
      blocks[end++] = block;
    }
    owner->put(c, blocks + begin, end - begin);
    begin = end;
  }
}

}  // namespace hakmem::remote
