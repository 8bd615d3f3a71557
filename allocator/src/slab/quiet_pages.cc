// quiet_pages.cc - giving back the pages between the last blocks of a slab that once was full.
//
// Purpose:    after a burst, blocks that live on keep their own pages and not their whole slabs.
// Boundary:   SlabPool::release_quiet_pages() (slab_pool.h); pages go by the release policy.
// Invariants: a page goes only if no block in use lies on it. What has gone is not looked at again
//             until a block comes back to its slab.
// Threads:    under the pool's lock.
#include "slab/slab_pool.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

// Gives back the whole pages in [begin, end). Returns the calls of the kernel it took.
size_t release_pages(uintptr_t begin, uintptr_t end, release::Reason reason) {
  begin = align_up(begin, kOsPageBytes);
  end = align_down(end, kOsPageBytes);
  if (begin >= end) return 0;
  release::discard(as_pointer(begin), end - begin, reason);
  return 1;
}

// Pages that hold no block in use, from the gaps between the blocks that are. Where nothing was
// carved the slab's former use may have left pages too.
size_t release_free_pages(Slab *slab, release::Reason reason) {
  const size_t block_bytes = class_bytes(slab->size_class);
  const size_t carved = slab->carved.load(std::memory_order_relaxed);
  const uintptr_t base = slab_address(slab);
  const uint64_t *bits = free_bits(slab);
  uintptr_t gap = base;
  size_t calls = 0;
  for (size_t w = 0; w * 64 < carved; ++w) {
    uint64_t used = ~bits[w];
    if (carved - w * 64 < 64) used &= (uint64_t{1} << (carved - w * 64)) - 1;
    for (; used != 0; used &= used - 1) {
      const size_t index = w * 64 + static_cast<size_t>(std::countr_zero(used));
      const uintptr_t block = base + index * block_bytes;
      calls += release_pages(gap, block, reason);
      gap = block + block_bytes;
    }
  }
  calls += release_pages(gap, base + slab->run_slabs * kSlabBytes, reason);
  if (calls > 0) page_heap::prefer_small_pages(superslab_of(slab));
  return calls;
}

}  // namespace

size_t SlabPool::release_quiet_pages(release::Reason reason, unsigned ages, size_t most_calls) {
  const os::LockGuard guard(lock_);
  size_t calls = 0;
  for (Slab *slab : with_room_) {
    for (; slab != nullptr; slab = slab->next) {
      const bool offered = slab->quiet_ages == kPagesOffered && reason != release::Reason::kDemand;
      if (offered || slab->quiet_ages == kPagesReleased) continue;
      if (slab->quiet_ages < ages) {
        ++slab->quiet_ages;
      } else if (calls < most_calls) {
        calls += release_free_pages(slab, reason);
        slab->quiet_ages = release::lazily(reason) ? kPagesOffered : kPagesReleased;
      }
    }
  }
  return calls;
}

}  // namespace hakmem
