#include "hardened/big_blocks.h"

#include "base/check.h"
#include "hardened/seal.h"
#include "os/guard.h"
#include "os/os.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"
#include "superslab/release_policy.h"

namespace hakmem::hardened::big_blocks {
namespace {

using What = Location::What;

constexpr uint64_t kFreed = UINT64_MAX;  // in place of the bytes asked for

struct Notes {
  uint64_t asked_bytes;
  uint64_t guarded;  // 0 or 1
};

Notes *notes_of(const Location &location) {
  return reinterpret_cast<Notes *>(location.what == What::kHuge ? location.huge->notes
                                                                : location.slab->inline_bits);
}

uintptr_t base_of(const Location &location) {
  return location.what == What::kHuge ? address_of(location.huge->base)
                                      : slab_address(location.slab);
}

// What the run or mapping must have: whole pages and one for the guard. 0: there is no such size.
size_t needed_bytes(size_t size) {
  if (size > PTRDIFF_MAX - 2 * kOsPageBytes) return 0;
  return align_up(size, kOsPageBytes) + kOsPageBytes;
}

void close(const Location &location, size_t asked_bytes) {
  const uintptr_t base = base_of(location);
  const uintptr_t end = base + align_up(asked_bytes, kOsPageBytes);
  Notes *notes = notes_of(location);
  *notes = {asked_bytes, 0};
  fill_canary(as_pointer(base + asked_bytes), end - base - asked_bytes);
  notes->guarded = os::guard::close(end, base + usable_bytes(location) - end);
}

uintptr_t guard_of(const Location &location) {
  return base_of(location) + align_up(notes_of(location)->asked_bytes, kOsPageBytes);
}

// False: the kernel refused.
bool open(const Location &location) {
  Notes *notes = notes_of(location);
  if (notes->guarded == 0) return true;
  const uintptr_t guard = guard_of(location);
  if (!os::guard::open(guard, base_of(location) + usable_bytes(location) - guard)) return false;
  notes->guarded = 0;
  return true;
}

Location large(Slab *slab) { return {What::kLarge, slab}; }

}  // namespace

void *allocate(size_t size, size_t alignment, bool *zeroed) {
  const size_t needed = needed_bytes(size);
  if (needed == 0) return nullptr;
  Location location{};
  if (needed <= page_heap::kMaxRunBytes && alignment <= page_heap::kMaxRunBytes) {
    const size_t align_slabs = alignment <= kSlabBytes ? 1 : alignment / kSlabBytes;
    const page_heap::Run run = page_heap::allocate_large(div_up(needed, kSlabBytes), align_slabs);
    page_heap::tick();
    if (run.slab == nullptr) return nullptr;
    *zeroed = run.zeroed;
    location = large(run.slab);
    *notes_of(location) = {};
  } else {
    void *base = huge_blocks::allocate(needed, alignment, huge_blocks::Contents::kZeroed);
    if (base == nullptr) return nullptr;
    *zeroed = true;
    location = locate(base);
  }
  close(location, size);
  return as_pointer(base_of(location));
}

size_t asked_bytes(const Location &location) {
  const uint64_t asked = notes_of(location)->asked_bytes;
  const void *block = as_pointer(base_of(location));
  if (asked == kFreed) report_double_free(block, usable_bytes(location));
  const size_t tail_bytes = align_up(asked, kOsPageBytes) - asked;
  if (!canary_intact(as_pointer(base_of(location) + asked), tail_bytes)) {
    report_heap_overflow(block, usable_bytes(location));
  }
  return asked;
}

void *resize(const Location &location, size_t size) {
  const size_t needed = needed_bytes(size);
  if (needed == 0) return nullptr;
  const size_t asked = notes_of(location)->asked_bytes;
  if (location.what == What::kLarge) {
    if (div_up(needed, kSlabBytes) != location.slab->run_slabs || !open(location)) {
      return nullptr;
    }
    close(location, size);
    return as_pointer(base_of(location));
  }
  // A mapping of two kinds of pages cannot be resized as one.
  if (needed <= page_heap::kMaxRunBytes || !open(location)) return nullptr;
  void *moved = huge_blocks::resize(location.huge, needed);
  close(location, moved != nullptr ? size : asked);
  return moved;
}

bool retire(Slab *slab) {
  const Location location = large(slab);
  Notes *notes = notes_of(location);
  if (notes->guarded == 0) return false;
  void *base = as_pointer(slab_address(slab));
  const size_t bytes = usable_bytes(location);
  if (!os::g_kernel->set_access(base, bytes, false)) return false;
  release::discard(base, bytes, release::Reason::kDemand);
  notes->asked_bytes = kFreed;
  return true;
}

void bury(Slab *slab) {
  os::guard::open_for_free(slab_address(slab), slab->run_slabs * kSlabBytes);
  page_heap::free_large(slab);
  page_heap::tick();
}

void free(const Location &location) {
  Notes *notes = notes_of(location);
  void *block = as_pointer(base_of(location));
  const size_t bytes = usable_bytes(location);  // a second free races with the first
  const uintptr_t guard = guard_of(location);
  const bool guarded = notes->guarded != 0;
  notes->asked_bytes = kFreed;
  bool freed = false;
  if (location.what == What::kLarge) {
    if (guarded) {
      os::guard::open_for_free(guard, base_of(location) + bytes - guard);
    }
    freed = page_heap::free_large(location.slab);
    page_heap::tick();
  } else {
    freed = huge_blocks::free(location.huge);
    if (guarded) os::guard::forget();
  }
  if (!freed) report_double_free(block, bytes);
}

}  // namespace hakmem::hardened::big_blocks
