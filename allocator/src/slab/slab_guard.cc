#include "slab/slab_guard.h"

#include "os/guard.h"

namespace hakmem::slab_guard {
namespace {

uintptr_t end_of(const Slab *slab) { return slab_address(slab) + slab->run_slabs * kSlabBytes; }

// The pages behind the last block.
uintptr_t guard_of(const Slab *slab, size_t blocks) {
  return align_up(slab_address(slab) + blocks * class_bytes(slab->size_class), kOsPageBytes);
}

}  // namespace

void close(Slab *slab) {
  const size_t room = slab->run_slabs * kSlabBytes - kOsPageBytes;
  const size_t blocks = room / class_bytes(slab->size_class);
  const uintptr_t guard = guard_of(slab, blocks);
  slab->guarded = os::guard::close(guard, end_of(slab) - guard);
  if (slab->guarded) slab->capacity = static_cast<uint16_t>(blocks);
}

void open(Slab *slab) {
  if (!slab->guarded) return;
  const uintptr_t guard = guard_of(slab, slab->capacity);
  os::guard::open_for_free(guard, end_of(slab) - guard);
}

}  // namespace hakmem::slab_guard
