// slab_pool.h - the small slabs of one heap: blocks are taken from them and put back in batches.
//
// Purpose:    keep the free state of blocks outside the blocks: one bit each.
// Owns:       every small slab whose `owner` is this pool, and the list of those with room, per class.
// Boundary:   take() and put() move pointers; no block's memory is read or written.
// Invariants: a slab is in its class's list exactly while it has a free block. Of each class at
//             most one slab in the list is empty; further empty slabs go to the page heap. put()
//             proves each block: on a block boundary, carved, and not free already.
// Threads:    any thread, under the pool's lock. Lock order: pool, then page heap.
#ifndef HAKMEM_SLAB_SLAB_POOL_H_
#define HAKMEM_SLAB_SLAB_POOL_H_

#include <cstddef>

#include "os/lock.h"
#include "slab/owner_map.h"
#include "superslab/release_policy.h"
#include "superslab/superslab.h"

namespace hakmem {

class Inbox;

inline constexpr SizeClass kAnyClass = 0;

class SlabPool {
 public:
  constexpr SlabPool() = default;

  void set_owner_map(const OwnerMap &map) { map_ = map; }

  // Where other threads leave blocks for the thread that has this pool; NULL: nowhere.
  void set_inbox(Inbox *inbox) { inbox_ = inbox; }
  Inbox *inbox() const { return inbox_; }

  // Both write up to `want` blocks of the class to end[-1], end[-2] ..., lowest address first
  // within a slab (as a stack that is popped from its end wants them), and return how many.
  // take_used() knows blocks that were handed out before; 0: there is none. take_new() carves
  // blocks from memory that no block has used, in a new slab if need be; 0: no memory.
  size_t take_used(SizeClass c, void **end, size_t want);
  size_t take_new(SizeClass c, void **end, size_t want);
  // One free block of the class, chosen by the bits of `random`; NULL: no memory. For the hardened
  // variant.
  void *take_random(SizeClass c, uint64_t random);
  // Takes blocks of this pool's slabs back. All are of class c, unless that is kAnyClass.
  void put(SizeClass c, void *const *blocks, size_t count);
  // Whether the block at `p` is free as far as its slab knows (caches do not tell it).
  bool holds_free(Slab *slab, const void *p);
  // Gives the empty slab of each class to the page heap. Returns how many there were.
  size_t release_empty_slabs();
  // Gives back the free pages of slabs to which no block has come back for `ages` calls of this
  // function, by about so many calls of the kernel at most; returns how many. For the time after a
  // burst: a few blocks that live on then keep their own pages, not their whole slabs.
  size_t release_quiet_pages(release::Reason reason, unsigned ages, size_t most_calls);
  // Of blocks that have been used and are free; in the hardened variant also of those that it may
  // choose as the next. For any thread: a recent value.
  size_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }
  // Of all blocks that have been used, free ones too; likewise.
  size_t carved_bytes() const { return carved_bytes_.load(std::memory_order_relaxed); }

  os::Lock &lock() { return lock_; }

 private:
  void push_front(Slab *slab);
  void unlist(Slab *slab);
  void *const *put_run(SizeClass c, void *const *blocks, void *const *end);
  bool add_slab(SizeClass c);
  void release(Slab *slab);
  void became_empty(Slab *slab);
  void follow_free(size_t more_bytes, size_t fewer_bytes) {
    free_bytes_.store(free_bytes() + more_bytes - fewer_bytes, std::memory_order_relaxed);
  }
  void follow_carved(size_t more_bytes, size_t fewer_bytes) {
    carved_bytes_.store(carved_bytes() + more_bytes - fewer_bytes, std::memory_order_relaxed);
  }

  static constexpr uint8_t kPagesReleased = UINT8_MAX;
  static constexpr uint8_t kPagesOffered = UINT8_MAX - 1;  // they go on demand only

  os::Lock lock_;
  OwnerMap map_;
  Inbox *inbox_ = nullptr;
  Slab *with_room_[kClassCount] = {};
  Slab *empty_[kClassCount] = {};
  std::atomic<size_t> free_bytes_{0}, carved_bytes_{0};  // written under the lock
};

// A small block's place, proved as far as its slab can tell.
struct BlockPlace {
  Slab *slab;
  uint32_t index;
  bool on_boundary;  // `p` is the beginning of a block
  bool carved;       // that block has been handed out at least once
};
inline BlockPlace place_of(Slab *slab, const void *p) {
  const ClassInfo &info = kClassInfo[slab->size_class];
  const uint64_t offset = address_of(p) - slab_address(slab);
  const auto index = static_cast<uint32_t>(offset * info.reciprocal >> kReciprocalShift);
  // relaxed: see Slab::carved.
  return {slab, index, index * info.bytes == offset,
          index < slab->carved.load(std::memory_order_relaxed)};
}

}  // namespace hakmem

#endif  // HAKMEM_SLAB_SLAB_POOL_H_
