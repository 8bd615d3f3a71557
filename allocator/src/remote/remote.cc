#include "remote/remote.h"

#include "base/check.h"
#include "slab/inbox.h"
#include "slab/locate.h"
#include "slab/slab_pool.h"

namespace hakmem::remote {
namespace {

// The pool that a small block belongs to. `superslab` is the address of one that is known to exist:
// most often the next block lies in the same.
SlabPool *owner_of(void *block, uintptr_t *superslab) {
  if (align_down(address_of(block), kUnitBytes) == *superslab) {
    Slab *slab = slab_of(block);
    if (slab != nullptr && slab->kind() == SlabKind::kSmall) {
      const BlockPlace place = place_of(slab, block);
      if (place.on_boundary && place.carved) [[likely]]
        return slab->owner;
    }
  }
  const Location location = locate_live("free", block);
  // Its slab was emptied after the first free, and is a large block now.
  if (location.what == Location::What::kLarge) report_double_free(block, kClassNotKnown);
  // A huge block begins where a superslab has its metadata, and never a small slab.
  if (location.what != Location::What::kSmall) report_foreign_pointer("free", block);
  *superslab = superslab_of(location.slab)->address();
  return location.slab->owner;
}

void deliver(SlabPool *owner, void *const *blocks, size_t count) {
  Inbox *inbox = owner->inbox();
  if (inbox == nullptr || !inbox->deposit(blocks, count)) owner->put(kAnyClass, blocks, count);
}

}  // namespace

void give_home(void **blocks, size_t count) {
  SlabPool *owners[kMaxBatch];
  ASSERT(count <= kMaxBatch);
  uintptr_t superslab = 0;
  for (size_t i = 0; i < count; ++i) owners[i] = owner_of(blocks[i], &superslab);
  // Each round delivers to one owner and keeps the rest in order.
  while (count > 0) {
    SlabPool *const owner = owners[0];
    void *batch[kMaxBatch];
    size_t in_batch = 0;
    size_t rest = 0;
    for (size_t i = 0; i < count; ++i) {
      if (owners[i] == owner) {
        batch[in_batch++] = blocks[i];
      } else {
        owners[rest] = owners[i];
        blocks[rest++] = blocks[i];
      }
    }
    deliver(owner, batch, in_batch);
    count = rest;
  }
}

}  // namespace hakmem::remote
