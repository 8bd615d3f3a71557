// superslab.h - the layout of a superslab: a 32 MiB aligned mapping cut into 64 KiB slabs.
//
// Purpose:    pointer -> slab, and where a slab's metadata and free bits lie.
// Owns:       the metadata at the head of each superslab; it is touched only as far as it is used.
// Boundary:   slab_of() is the one conversion from a pointer to a slab.
// Invariants: slabs [0, first_slab) hold this metadata and are never handed out.
//             A run of slabs is one of: free (its `free` bits set, its first slab in
//             free_runs.h), or in use or freed of late (its first slab has its `head` bit set).
//             A small slab has used <= carved <= capacity; the free blocks are the set bits and the
//             blocks at and above `carved`, so: set bits = carved - used.
// Threads:    masks of the superslab: written under the page heap's lock, but for `remote`, which any
//             thread writes; `head`, `free` and the count of slabs are read by any thread that
//             holds a block in the slab, whose bits then do not change.
//             A small slab's fields: under its owner's lock.
#ifndef HAKMEM_SUPERSLAB_SUPERSLAB_H_
#define HAKMEM_SUPERSLAB_SUPERSLAB_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "sizeclass/sizeclass.h"
#include "superslab/address_window.h"

namespace hakmem {

class SlabPool;

inline constexpr size_t kSlabsPerSuperslab = kUnitBytes / kSlabBytes;
inline constexpr size_t kSlabMaskWords = kSlabsPerSuperslab / 64;
inline constexpr size_t kHugePageBytes = 2 * kMiB;
inline constexpr size_t kHugePageSlabs = kHugePageBytes / kSlabBytes;

enum class SlabKind : uint8_t {
  kUnused,
  kFree,
  kSmall,
  kLarge,
  kCached,  // freed, and among a heap's recent runs
  kRecent   // freed, and among the page heap's
};

// One 64-byte line for each slab; only the first slab of a run has a meaningful one.
struct alignas(64) Slab {
  SlabPool *owner;       // kSmall: whose it is
  Slab *next, *prev;     // kFree: bin of the page heap; kSmall: owner's list of slabs with room
  uint16_t run_slabs;    // slabs in this run
  uint16_t bitmap_slot;  // kSmall: slot of its outside bitmap, or kNoBitmapSlot
  uint16_t used;         // blocks that are out: in the program or in a cache
  // Blocks below this have been handed out at least once. relaxed: written under the owner's lock;
  // a thread that holds a block reads at least the value that made its block one.
  std::atomic<uint16_t> carved;
  uint16_t capacity;    // blocks
  uint16_t first_word;  // no bit is set in the bitmap's words below this one
  SizeClass size_class;
  // relaxed: a thread that holds a block in the slab finds the
  // kind that the slab had when it got the block; an onlooker wants no more than a recent one.
  std::atomic<SlabKind> kind_now;
  bool listed : 1;          // kSmall: it is in the owner's list
  bool guarded : 1;         // kSmall: its end is inaccessible (the hardened variant)
  uint8_t quiet_ages;       // kSmall: ages since a block came back; kPagesReleased: see slab_pool.h
  uint64_t inline_bits[3];  // free bits of slabs of up to 192 blocks

  SlabKind kind() const { return kind_now.load(std::memory_order_relaxed); }
  void set_kind(SlabKind kind) { kind_now.store(kind, std::memory_order_relaxed); }
  // Of several threads that free the same block only one changes its run's kind: exactly one owns
  // it then. False: the run was of another kind.
  bool change_kind(SlabKind from, SlabKind to) {
    return kind_now.compare_exchange_strong(from, to, std::memory_order_relaxed);
  }
};
static_assert(sizeof(Slab) == 64);

inline constexpr uint16_t kNoBitmapSlot = UINT16_MAX;
inline constexpr size_t kInlineBits = 3 * 64;
inline constexpr size_t kMaxBlocks = kSlabBytes / kMinAlign;
// A bitmap's words, and one line more so that the bitmaps do not all begin in the same cache set.
inline constexpr size_t kBitmapSlotWords = kMaxBlocks / 64 + 8;

// A set of slabs of one superslab.
class SlabMask {
 public:
  bool test(size_t i) const { return (word(i / 64) >> (i % 64) & 1) != 0; }
  void set(size_t begin, size_t count) {
    each_word(begin, count, [](uint64_t old, uint64_t mask) { return old | mask; });
  }
  void clear(size_t begin, size_t count) {
    each_word(begin, count, [](uint64_t old, uint64_t mask) { return old & ~mask; });
  }
  // The members of [begin, begin + count) that `other` does not have.
  void set_unless(const SlabMask &other, size_t begin, size_t count) {
    size_t w = begin / 64;
    each_word(begin, count,
              [&](uint64_t old, uint64_t mask) { return old | (mask & ~other.word(w++)); });
  }
  size_t count(size_t begin, size_t count) {
    size_t members = 0;
    each_word(begin, count, [&](uint64_t old, uint64_t mask) {
      members += count_bits(old & mask);
      return old;
    });
    return members;
  }
  // One more than the largest member; 0: there is none.
  size_t end() const {
    const size_t last = last_at_or_below(kSlabsPerSuperslab - 1);
    return last == SIZE_MAX ? 0 : last + 1;
  }
  bool any(size_t begin, size_t count) {
    bool found = false;
    each_word(begin, count, [&](uint64_t old, uint64_t mask) {
      found |= (old & mask) != 0;
      return old;
    });
    return found;
  }
  // Largest member <= i, or SIZE_MAX.
  size_t last_at_or_below(size_t i) const {
    size_t w = i / 64;
    uint64_t bits = word(w) << (63 - i % 64);
    if (bits != 0) return i - static_cast<size_t>(std::countl_zero(bits));
    while (w-- > 0) {
      if (word(w) != 0) return w * 64 + 63 - static_cast<size_t>(std::countl_zero(word(w)));
    }
    return SIZE_MAX;
  }
  // How many slabs just below i are members without a gap.
  size_t run_length_below(size_t i) const {
    size_t n = 0;
    while (n < i) {
      const size_t last = i - n - 1;
      const uint64_t gaps = ~word(last / 64) << (63 - last % 64);
      if (gaps != 0) {
        n += static_cast<size_t>(std::countl_zero(gaps));
        break;
      }
      n += last % 64 + 1;
    }
    return n < i ? n : i;
  }
  // relaxed: see Threads above; writers hold the page heap's lock.
  uint64_t word(size_t w) const { return words_[w].load(std::memory_order_relaxed); }
  void set_word(size_t w, uint64_t bits) { words_[w].store(bits, std::memory_order_relaxed); }

 private:
  template <class F>
  void each_word(size_t begin, size_t count, F change) {
    while (count > 0) {
      const size_t bit = begin % 64;
      const size_t n = count < 64 - bit ? count : 64 - bit;
      const uint64_t mask = (n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1) << bit;
      const uint64_t old = word(begin / 64);
      const uint64_t changed = change(old, mask);
      if (changed != old) set_word(begin / 64, changed);
      begin += n;
      count -= n;
    }
  }

  std::atomic<uint64_t> words_[kSlabMaskWords];
};

// The same, changed by any thread without a lock.
class SharedSlabMask {
 public:
  void set(size_t begin, size_t count) {
    for (size_t i = begin; i < begin + count; ++i) {
      if (!test(i)) words_[i / 64].fetch_or(bit(i), std::memory_order_relaxed);
    }
  }
  void set_all() {
    for (std::atomic<uint64_t> &word : words_) word.store(~uint64_t{0}, std::memory_order_relaxed);
  }
  // Whether `i` was a member; it is none from now on.
  bool take(size_t i) {
    if (!test(i)) return false;
    return (words_[i / 64].fetch_and(~bit(i), std::memory_order_relaxed) & bit(i)) != 0;
  }
  bool any() const {
    for (const std::atomic<uint64_t> &word : words_) {
      if (word.load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
  }

 private:
  static uint64_t bit(size_t i) { return uint64_t{1} << (i % 64); }
  bool test(size_t i) const {
    return (words_[i / 64].load(std::memory_order_relaxed) & bit(i)) != 0;
  }

  std::atomic<uint64_t> words_[kSlabMaskWords];
};

struct Superslab {
  // Mapped slabs, kSlabsPerSuperslab unless memory is short. relaxed: written under the page heap's
  // lock; slab_of() looks without it at a slab in use, which lies below the old count and the new.
  std::atomic<uint16_t> slab_count_now;
  uint16_t made_slabs;  // slab_count() when it was made: the layout of the metadata
  uint16_t first_slab;  // the first that can be handed out
  uint16_t free_slabs;
  uint16_t touched_bitmap_slots;  // slots below this may be resident
  bool huge_pages;                // transparent huge pages were asked for
  Superslab *next, *prev;
  SlabMask head;          // first slabs of runs in use
  SlabMask free;          // slabs that are free
  SlabMask touched;       // slabs that were handed out since they were last known to be zero
  SlabMask warm;          // free slabs that were populated ahead: see warm_pool.h
  SlabMask offered;       // free slabs that the kernel may take when it needs them, or would not
  SlabMask fresh;         // free slabs that were freed in this age
  SlabMask due;           // free slabs that stayed so over a whole age
  SlabMask bitmap_slots;  // bitmap slots in use
  SharedSlabMask remote;  // slabs that owner maps may call another heap's: see owner_map.h
  Slab slabs[];

  uint16_t slab_count() const { return slab_count_now.load(std::memory_order_relaxed); }
  void set_slab_count(size_t count) {
    slab_count_now.store(static_cast<uint16_t>(count), std::memory_order_relaxed);
  }
  uintptr_t address() const { return address_of(this); }
  size_t bytes() const { return slab_count() * kSlabBytes; }
  uint64_t *bitmap(size_t slot) {
    return reinterpret_cast<uint64_t *>(slabs + made_slabs) + slot * kBitmapSlotWords;
  }
  static size_t metadata_bytes(size_t slab_count) {
    return sizeof(Superslab) + slab_count * (sizeof(Slab) + kBitmapSlotWords * sizeof(uint64_t));
  }
};

inline Superslab *superslab_of(const Slab *slab) {
  return static_cast<Superslab *>(as_pointer(align_down(address_of(slab), kUnitBytes)));
}
inline size_t index_of(const Superslab *superslab, const Slab *slab) {
  return static_cast<size_t>(slab - superslab->slabs);
}
inline uintptr_t slab_address(const Slab *slab) {
  const Superslab *superslab = superslab_of(slab);
  return superslab->address() + index_of(superslab, slab) * kSlabBytes;
}

// The first slab of the run that the block `p` lies in. `p` must lie in a superslab; NULL if it
// lies in no run that is in use.
inline Slab *slab_of(const void *p) {
  Superslab *superslab =
      static_cast<Superslab *>(as_pointer(align_down(address_of(p), kUnitBytes)));
  const size_t i = (address_of(p) & (kUnitBytes - 1)) >> kSlabShift;
  if (superslab->head.test(i)) [[likely]]
    return superslab->slabs + i;
  if (i >= superslab->slab_count() || superslab->free.test(i)) return nullptr;
  const size_t head = superslab->head.last_at_or_below(i);
  return head == SIZE_MAX ? nullptr : superslab->slabs + head;
}

// The free bits of a small slab.
inline uint64_t *free_bits(Slab *slab) {
  return slab->bitmap_slot == kNoBitmapSlot ? slab->inline_bits
                                            : superslab_of(slab)->bitmap(slab->bitmap_slot);
}

}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_SUPERSLAB_H_
