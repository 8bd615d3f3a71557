#include "slab/slab_pool.h"

#include "base/check.h"
#include "config/config.h"
#include "slab/slab_guard.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

static_assert(class_bytes(kAnyClass) == kClassNotKnown);

bool has_room(const Slab *slab) { return slab->used < slab->capacity; }

size_t carved_blocks(const Slab *slab) { return slab->carved.load(std::memory_order_relaxed); }
void set_carved(Slab *slab, size_t blocks) {
  slab->carved.store(static_cast<uint16_t>(blocks), std::memory_order_relaxed);
}

// Takes set bits out of the bitmap, lowest first.
size_t take_free_bits(Slab *slab, uintptr_t base, size_t block_bytes, void **end, size_t want) {
  uint64_t *bits = free_bits(slab);
  const size_t available = carved_blocks(slab) - slab->used;
  if (want > available) want = available;
  void **out = end;
  void **const last = end - want;
  size_t w = slab->first_word;
  while (out != last) {
    uint64_t word = bits[w];
    const uintptr_t word_base = base + w * 64 * block_bytes;
    while (word != 0 && out != last) {
      *--out = as_pointer(word_base + static_cast<size_t>(std::countr_zero(word)) * block_bytes);
      word &= word - 1;
    }
    bits[w] = word;
    if (word == 0) ++w;
  }
  slab->first_word = static_cast<uint16_t>(w);
  return want;
}

size_t carve(Slab *slab, uintptr_t base, size_t block_bytes, void **end, size_t want) {
  const size_t carved = carved_blocks(slab);
  const size_t left = slab->capacity - carved;
  const size_t n = want < left ? want : left;
  uintptr_t block = base + carved * block_bytes;
  for (void **out = end; out != end - n; block += block_bytes) *--out = as_pointer(block);
  set_carved(slab, carved + n);
  return n;
}

}  // namespace

void SlabPool::push_front(Slab *slab) {
  Slab *&head = with_room_[slab->size_class];
  slab->prev = nullptr;
  slab->next = head;
  if (head != nullptr) head->prev = slab;
  head = slab;
  slab->listed = true;
}

void SlabPool::unlist(Slab *slab) {
  if (slab->next != nullptr) slab->next->prev = slab->prev;
  if (slab->prev != nullptr) {
    slab->prev->next = slab->next;
  } else {
    with_room_[slab->size_class] = slab->next;
  }
  slab->listed = false;
}

bool SlabPool::add_slab(SizeClass c) {
  const ClassInfo &info = kClassInfo[c];
  Slab *slab = page_heap::allocate_small(info.span_slabs, info.capacity).slab;
  if (slab == nullptr) return false;
  slab->owner = this;
  slab->size_class = c;
  slab->used = slab->first_word = 0;
  slab->quiet_ages = 0;
  set_carved(slab, 0);
  slab->capacity = info.capacity;
  if constexpr (kHardened) slab_guard::close(slab);
  map_.set(slab_address(slab), info.span_slabs, c);
  push_front(slab);
  return true;
}

void SlabPool::release(Slab *slab) {
  const size_t carved = carved_blocks(slab) * class_bytes(slab->size_class);
  follow_free(0, carved);
  follow_carved(0, carved);
  unlist(slab);
  map_.set(slab_address(slab), slab->run_slabs, 0);
  if constexpr (kHardened) slab_guard::open(slab);
  page_heap::free(slab);
}

void SlabPool::became_empty(Slab *slab) {
  Slab *&kept = empty_[slab->size_class];
  if (kept != nullptr && kept != slab && kept->used == 0) {
    release(slab);
  } else {
    kept = slab;
  }
}

size_t SlabPool::take_used(SizeClass c, void **end, size_t want) {
  const size_t block_bytes = class_bytes(c);
  const os::LockGuard guard(lock_);
  size_t n = 0;
  Slab *next = nullptr;
  for (Slab *slab = with_room_[c]; slab != nullptr && n < want; slab = next) {
    next = slab->next;
    const size_t got = take_free_bits(slab, slab_address(slab), block_bytes, end - n, want - n);
    slab->used = static_cast<uint16_t>(slab->used + got);
    n += got;
    if (!has_room(slab)) unlist(slab);
  }
  follow_free(0, n * block_bytes);
  return n;
}

size_t SlabPool::take_new(SizeClass c, void **end, size_t want) {
  const size_t block_bytes = class_bytes(c);
  const os::LockGuard guard(lock_);
  Slab *slab = with_room_[c];
  while (slab != nullptr && carved_blocks(slab) == slab->capacity) slab = slab->next;
  if (slab == nullptr) {
    if (!add_slab(c)) return 0;
    slab = with_room_[c];
  }
  const size_t n = carve(slab, slab_address(slab), block_bytes, end, want);
  slab->used = static_cast<uint16_t>(slab->used + n);
  follow_carved(n * block_bytes, 0);
  if (!has_room(slab)) unlist(slab);
  return n;
}

// Puts back the blocks from `blocks` on that lie in the first one's slab. Returns the first that
// does not. The word of the bitmap that is being changed is kept in a register: neighbours come
// together. A misuse is reported without the lock: a program's handler of SIGABRT may allocate.
inline void *const *SlabPool::put_run(SizeClass c, void *const *blocks, void *const *end) {
  Slab *slab = slab_of(*blocks);
  if (slab == nullptr || slab->owner != this || (c != kAnyClass && slab->size_class != c))
      [[unlikely]] {
    lock_.unlock();
    report_double_free(*blocks, class_bytes(c));  // its slab was emptied by the first free
  }
  const ClassInfo &info = kClassInfo[slab->size_class];
  const uint64_t reciprocal = info.reciprocal;
  const uintptr_t base = slab_address(slab);
  const size_t carved_bytes = carved_blocks(slab) * info.bytes;
  uint64_t *bits = free_bits(slab);
  size_t w = (address_of(*blocks) - base) * reciprocal >> (kReciprocalShift + 6);
  uint64_t word = bits[w];
  size_t lowest = w;
  void *const *block = blocks;
  do {
    const uintptr_t offset = address_of(*block) - base;
    if (offset >= carved_bytes) break;
    const uint64_t quotient = offset * reciprocal;
    if (!divides(quotient, reciprocal)) [[unlikely]] {
      lock_.unlock();
      report_interior_pointer("free", *block, info.bytes);
    }
    const size_t index = quotient >> kReciprocalShift;
    if (index / 64 != w) {
      bits[w] = word;
      w = index / 64;
      word = bits[w];
      lowest = w < lowest ? w : lowest;
    }
    const uint64_t bit = uint64_t{1} << (index % 64);
    if ((word & bit) != 0) [[unlikely]] {
      lock_.unlock();
      report_double_free(*block, info.bytes);
    }
    word |= bit;
  } while (++block != end);
  if (block == blocks) [[unlikely]] {
    lock_.unlock();
    report_foreign_pointer("free", *block);  // beyond what was carved
  }
  bits[w] = word;
  if (lowest < slab->first_word) slab->first_word = static_cast<uint16_t>(lowest);
  slab->used = static_cast<uint16_t>(slab->used - (block - blocks));
  if (c == kAnyClass) follow_free(static_cast<size_t>(block - blocks) * info.bytes, 0);
  slab->quiet_ages = 0;
  if (!slab->listed) push_front(slab);
  if (slab->used == 0) became_empty(slab);
  return block;
}

void SlabPool::put(SizeClass c, void *const *blocks, size_t count) {
  const os::LockGuard guard(lock_);
  if (c != kAnyClass) follow_free(count * class_bytes(c), 0);
  void *const *const end = blocks + count;
  while (blocks != end) blocks = put_run(c, blocks, end);
}

bool SlabPool::holds_free(Slab *slab, const void *p) {
  const os::LockGuard guard(lock_);
  const uint32_t index = place_of(slab, p).index;
  return (free_bits(slab)[index / 64] >> (index % 64) & 1) != 0;
}

size_t SlabPool::release_empty_slabs() {
  const os::LockGuard guard(lock_);
  size_t slabs = 0;
  for (Slab *&kept : empty_) {
    if (kept != nullptr && kept->used == 0) {
      release(kept);
      ++slabs;
    }
    kept = nullptr;
  }
  return slabs;
}

}  // namespace hakmem
