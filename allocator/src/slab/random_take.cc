// random_take.cc - where the next block lies is not for an attacker to foresee.
//
// Purpose:    the hardened variant's way to take a block from a slab.
// Boundary:   SlabPool::take_random() (slab_pool.h); the caller brings the random bits.
// Threads:    under the pool's lock.
#include "slab/slab_pool.h"

namespace hakmem {
namespace {

// A block is chosen out of at least so many, while the slab still has blocks to carve.
constexpr size_t kMinChoice = 16;
// One of so many slabs at the head of the list is chosen.
constexpr size_t kSlabChoice = 4;

// Carves a page's worth of blocks, but at least kMinChoice, as free blocks. Returns how many.
size_t carve_free(Slab *slab) {
  const size_t carved = slab->carved.load(std::memory_order_relaxed);
  const size_t page_blocks = kOsPageBytes / class_bytes(slab->size_class);
  const size_t wanted = carved + (page_blocks > kMinChoice ? page_blocks : kMinChoice);
  const size_t end = wanted < slab->capacity ? wanted : slab->capacity;
  uint64_t *bits = free_bits(slab);
  for (size_t i = carved; i < end; ++i) bits[i / 64] |= uint64_t{1} << (i % 64);
  if (carved / 64 < slab->first_word) slab->first_word = static_cast<uint16_t>(carved / 64);
  slab->carved.store(static_cast<uint16_t>(end), std::memory_order_relaxed);
  return end - carved;
}

// Clears the n-th set bit and returns its index.
size_t take_nth_bit(uint64_t *bits, size_t n) {
  size_t w = 0;
  for (; n >= count_bits(bits[w]); ++w) {
    n -= count_bits(bits[w]);
  }
  uint64_t word = bits[w];
  for (; n > 0; --n) word &= word - 1;
  bits[w] &= ~(word & -word);
  return w * 64 + static_cast<size_t>(std::countr_zero(word));
}

}  // namespace

void *SlabPool::take_random(SizeClass c, uint64_t random) {
  const os::LockGuard guard(lock_);
  if (with_room_[c] == nullptr && !add_slab(c)) return nullptr;
  Slab *slab = with_room_[c];
  for (size_t n = random % kSlabChoice; n > 0 && slab->next != nullptr; --n) slab = slab->next;
  random /= kSlabChoice;
  size_t available = slab->carved.load(std::memory_order_relaxed) - slab->used;
  if (available < kMinChoice) {
    const size_t more = carve_free(slab);
    available += more;
    follow_free(more * class_bytes(c), 0);
    follow_carved(more * class_bytes(c), 0);
  }
  follow_free(0, class_bytes(c));
  const size_t index = take_nth_bit(free_bits(slab), random % available);
  if (++slab->used == slab->capacity) unlist(slab);
  return as_pointer(slab_address(slab) + index * class_bytes(c));
}

}  // namespace hakmem
