// depot.h - full magazines in reserve: a thread swaps a pointer instead of copying blocks.
//
// Purpose:    serve bursts that are larger than a magazine without a trip to the slabs.
// Owns:       the storage of all of a heap's magazines, and which of them are in reserve.
// Boundary:   blocks stay in their magazines; nothing here looks at one.
// Invariants: the blocks in reserve are most_bytes_ at most, over all classes.
//             A magazine is in use by a bin, full in the reserve of its class, or spare. The first
//             kBinCount magazines are the bins' own at the beginning. Links are kept outside the
//             magazines, by number; 0 (bin 0 has no magazine) is "none".
// Threads:    the heap's thread only.
#ifndef HAKMEM_CACHE_DEPOT_H_
#define HAKMEM_CACHE_DEPOT_H_

#include "cache/magazine.h"

namespace hakmem {

class Depot {
 public:
  static constexpr size_t kMagazines = 1664;
  static constexpr size_t kStorageBytes = kMagazines * kMagazineBytes;
  // The storage is made writable by so many bytes at a time, so that a thread with few blocks in
  // reserve costs little where memory is limited by what could be written.
  static constexpr size_t kChunkBytes = 64 * kKiB;

  // Forgets everything: all magazines but the bins' own are unused. `storage` is kStorageBytes, on
  // an OS page, of which the first kChunkBytes can be written.
  void reset(void **storage);

  // Puts a full magazine of the class aside. Returns another one, empty, or NULL if the reserve is
  // full: the magazine then stays the caller's.
  void **put_full(SizeClass c, void **full);
  bool has_full(SizeClass c) const { return full_[c] != 0; }
  // Takes a full magazine of the class for an empty one; NULL: none is in reserve.
  void **take_full(SizeClass c, void **empty);
  // Takes one that has not been needed since the last call of begin_age(), if there is one. It goes
  // back with put_spare() when it is empty.
  void **take_idle(SizeClass c);
  void **take_any(SizeClass c);
  void put_spare(void **magazine);
  void begin_age();
  // Whether so much came back in this age that what is taken out again has left the processor's own
  // cache: its first use waits for memory then.
  bool is_cold() const { return most_held_ > kOwnCacheBytes; }
  // Calls f(c, magazine) for each magazine in reserve. For an onlooker: ends whatever the heap's
  // thread does meanwhile.
  template <class F>
  void for_each_full(F f) const {
    size_t left = kMagazines;
    for (size_t c = 1; c < kClassCount; ++c) {
      for (Number n = full_[c]; n != 0 && left > 0; n = next_[n], --left) {
        f(static_cast<SizeClass>(c), magazine(n));
      }
    }
  }

 private:
  using Number = uint16_t;
  static constexpr Number kChunkMagazines = kChunkBytes / kMagazineBytes;
  static_assert(kChunkMagazines >= kBinCount && kMagazines % kChunkMagazines == 0);

  // Whether one more magazine can be written.
  bool make_writable();
  Number number(void *const *magazine) const {
    return static_cast<Number>((magazine - storage_) / static_cast<ptrdiff_t>(kMagazineSlots));
  }
  void **magazine(Number n) const { return storage_ + n * kMagazineSlots; }
  void push(Number *stack, Number n) {
    next_[n] = *stack;
    *stack = n;
  }
  Number pop(Number *stack) {
    const Number n = *stack;
    if (n != 0) *stack = next_[n];
    return n;
  }

  void **storage_ = nullptr;
  Number made_ = 0;
  Number writable_ = 0;
  Number spare_ = 0;
  static constexpr size_t kOwnCacheBytes = 2 * kMiB;

  size_t held_bytes_ = 0;  // in full magazines
  size_t most_held_ = 0;   // in this age
  size_t most_bytes_ = 0;  // as the knob says; looked up once an age
  Number full_[kClassCount] = {};
  Number count_[kClassCount] = {};
  Number idle_[kClassCount] = {};  // the lowest that count_ has been in this age
  Number next_[kMagazines] = {};
};

inline void **Depot::put_full(SizeClass c, void **full) {
  const size_t bytes = class_bytes(c) * magazine_blocks(c);
  if (held_bytes_ + bytes > most_bytes_) return nullptr;
  Number empty = pop(&spare_);
  if (empty == 0) {
    if (made_ == writable_ && !make_writable()) return nullptr;
    empty = made_++;
  }
  push(&full_[c], number(full));
  ++count_[c];
  held_bytes_ += bytes;
  if (held_bytes_ > most_held_) most_held_ = held_bytes_;
  return magazine(empty);
}

inline void **Depot::take_any(SizeClass c) {
  const Number n = pop(&full_[c]);
  if (n == 0) return nullptr;
  --count_[c];
  held_bytes_ -= class_bytes(c) * magazine_blocks(c);
  if (count_[c] < idle_[c]) idle_[c] = count_[c];
  return magazine(n);
}

inline void **Depot::take_full(SizeClass c, void **empty) {
  void **full = take_any(c);
  if (full != nullptr) put_spare(empty);
  return full;
}

inline void **Depot::take_idle(SizeClass c) {
  if (idle_[c] == 0) return nullptr;
  --idle_[c];
  return take_any(c);
}

inline void Depot::put_spare(void **magazine) { push(&spare_, number(magazine)); }

}  // namespace hakmem

#endif  // HAKMEM_CACHE_DEPOT_H_
