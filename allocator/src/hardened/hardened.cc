#include "hardened/hardened.h"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "cache/heap_registry.h"
#include "hardened/big_blocks.h"
#include "hardened/quarantine.h"
#include "hardened/seal.h"
#include "os/os.h"
#include "slab/locate.h"
#include "superslab/page_heap.h"

namespace hakmem::hardened {
namespace {

using What = Location::What;
using quarantine::Outcome;

// Of a large block in quarantine only address space is left, which counts for less.
constexpr size_t kRetiredShare = 16;

SlabPool &pool() { return heap_registry::common_pool(); }

// --- leaving quarantine

void release(void *block) {
  Slab *slab = slab_of(block);
  if (slab->kind() == SlabKind::kLarge) return big_blocks::bury(slab);
  const SizeClass c = slab->size_class;
  const size_t written = first_write(block, class_bytes(c));
  if (written != kUntouched) report_write_after_free(block, written, class_bytes(c));
  pool().put(c, &block, 1);
  heap_registry::age_without_heap();
}

// False: the block cannot wait.
bool wait(void *block, size_t charge_bytes, size_t class_bytes) {
  void *evicted = nullptr;
  const Outcome outcome = quarantine::put(block, charge_bytes, &evicted);
  if (outcome == Outcome::kWaitedAlready) report_double_free(block, class_bytes);
  for (; evicted != nullptr; evicted = quarantine::take_excess()) release(evicted);
  return outcome == Outcome::kWaits;
}

// --- proving

// Which block `p` is; it is live as far as bitmaps and records can tell without a lock.
Location locate_block(const char *operation, const void *p) {
  const Location location = locate(p);
  if (location.what == What::kForeign) report_foreign_pointer(operation, p);
  if (location.what == What::kInterior) {
    report_interior_pointer(operation, p, usable_bytes(location));
  }
  return location;
}

[[noreturn, gnu::cold]] void report_broken_seal(const Location &location, const void *block) {
  const size_t bytes = usable_bytes(location);
  if (quarantine::holds(block) || pool().holds_free(location.slab, block)) {
    report_double_free(block, bytes);
  }
  report_heap_overflow(block, bytes);
}

// The bytes asked for. A block that is not live has no seal, so one look proves both.
size_t asked_bytes(const Location &location, const void *block) {
  if (location.what != What::kSmall) return big_blocks::asked_bytes(location);
  const size_t asked = asked_in_seal(block, usable_bytes(location));
  if (asked == kBroken) [[unlikely]]
    report_broken_seal(location, block);
  return asked;
}

}  // namespace

void start() {
  static constinit std::atomic<bool> started{false};
  if (started.load(std::memory_order_relaxed) || started.exchange(true)) return;
  // Gives no heap; registers what keeps the slabs whole over fork. Handlers before a fork run in
  // reverse order: the quarantine's lock is taken first.
  heap_registry::adopt();
  CHECK(pthread_atfork(quarantine::lock_for_fork, quarantine::unlock_after_fork,
                       quarantine::reset_after_fork) == 0);
}

namespace {

// --- giving out

// 0: not small.
SizeClass small_class(size_t size, size_t alignment) {
  if (size > kMaxSmallBytes - kSealBytes || alignment > kMaxSmallBytes) return 0;
  return class_of(align_up(size + kSealBytes, alignment));  // aligned as the sum is
}

void *try_allocate(size_t size, size_t alignment, bool *zeroed) {
  const SizeClass c = small_class(size, alignment);
  if (c == 0) return big_blocks::allocate(size, alignment, zeroed);
  void *block = pool().take_random(c, random_choice());
  if (block != nullptr) seal(block, class_bytes(c), size);
  return block;
}

// Calls `attempt` again after giving up what is only kept, and again after address space, if that
// may help a request of this size.
template <class Attempt>
void *retry(size_t size, Attempt attempt) {
  void *block = attempt();
  if (block != nullptr) [[likely]]
    return block;
  if (size > os::hopeless_above_bytes()) return nullptr;
  empty_quarantine();
  pool().release_empty_slabs();
  block = attempt();
  if (block == nullptr && page_heap::give_up_address_space()) block = attempt();
  return block;
}

void *allocate(size_t size, size_t alignment, bool *zeroed) {
  load_config_from_environment();
  start();
  if (alignment < kMinAlign) alignment = kMinAlign;
  void *block = retry(size, [&] { return try_allocate(size, alignment, zeroed); });
  if (block == nullptr) [[unlikely]]
    errno = ENOMEM;
  return block;
}

void *resize_in_place(const Location &location, void *block, size_t size) {
  if (location.what != What::kSmall) {
    if (small_class(size, kMinAlign) != 0) return nullptr;
    return big_blocks::resize(location, size);
  }
  const size_t bytes = usable_bytes(location);
  if (size > bytes - kSealBytes) return nullptr;  // the sum could be too large for a size_t
  // Shrinking to less than half is worth a copy, if that is smaller.
  if (size < bytes / 2 && small_class(size, kMinAlign) != location.slab->size_class) return nullptr;
  seal(block, bytes, size);
  return block;
}

void free_proved(const Location &location, void *block) {
  const size_t bytes = usable_bytes(location);
  switch (location.what) {
    case What::kSmall:
      poison(block, bytes);
      if (wait(block, bytes, bytes)) return;
      pool().put(location.slab->size_class, &block, 1);
      return heap_registry::age_without_heap();
    case What::kLarge:
      if (!big_blocks::retire(location.slab)) return big_blocks::free(location);
      if (!wait(block, bytes / kRetiredShare, bytes)) big_blocks::bury(location.slab);
      return;
    default:
      // Its mapping goes back to the kernel: a use of it faults.
      return big_blocks::free(location);
  }
}

}  // namespace

void *allocate(size_t size, size_t alignment) {
  bool zeroed = false;
  return allocate(size, alignment, &zeroed);
}

void *allocate_zeroed(size_t size) {
  bool zeroed = false;
  void *block = allocate(size, kMinAlign, &zeroed);
  if (block != nullptr && !zeroed) memset(block, 0, size);
  return block;
}

void free(void *block) {
  const Location location = locate_block("free", block);
  asked_bytes(location, block);
  free_proved(location, block);
}

void *resize(void *block, size_t size) {
  const Location location = locate_block("realloc", block);
  const size_t asked = asked_bytes(location, block);
  if (void *resized = resize_in_place(location, block, size)) return resized;
  void *fresh = allocate(size, kMinAlign);
  if (fresh == nullptr) return nullptr;
  memcpy(fresh, block, size < asked ? size : asked);
  free_proved(location, block);
  return fresh;
}

size_t usable_size(void *block) { return asked_bytes(locate_block("usable_size", block), block); }

void check_size(void *block, size_t size) {
  const Location location = locate_block("free_sized", block);
  if (asked_bytes(location, block) != size) {
    report_size_mismatch(block, size, usable_bytes(location));
  }
}

void empty_quarantine() {
  while (void *block = quarantine::take_oldest()) release(block);
}

}  // namespace hakmem::hardened
