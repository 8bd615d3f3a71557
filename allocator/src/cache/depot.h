// depot.h - full magazines in reserve: a thread swaps a pointer instead of copying blocks.
//
// Purpose:    serve bursts that are larger than a magazine without a trip to the slabs.
// Owns:       the storage of all of a heap's magazines, and which of them are in reserve.
// Boundary:   blocks stay in their magazines; nothing here looks at one.
// Invariants: a magazine is in use by a bin, full in the reserve of its class, or spare. The first
//             kBinCount magazines are the bins' own at the beginning. Links are kept outside the
//             magazines, by number; 0 (bin 0 has no magazine) is "none".
// Threads:    the heap's thread only.
#ifndef HAKMEM_CACHE_DEPOT_H_
#define HAKMEM_CACHE_DEPOT_H_

#include "cache/magazine.h"

namespace hakmem {

class Depot {
 public:
  static constexpr size_t kMagazines = 1024;
  static constexpr size_t kStorageBytes = kMagazines * kMagazineBytes;

  // Forgets everything: all magazines but the bins' own are unused. `storage` is kStorageBytes.
  void reset(void **storage);

  // Puts a full magazine of the class aside. Returns another one, empty, or NULL if the reserve is
  // full: `magazine` then stays the caller's.
  void **put_full(SizeClass c, void **magazine);
    bool has_full(SizeClass c) const { return full_[c] != 0; }
  // Takes a full magazine of the class for an empty one; NULL: none is in reserve.
  void **take_full(SizeClass c, void **empty);
  // Takes one that has not been needed since the last call of begin_age(), if there is one. It goes
  // back with put_spare() when it is empty.
  void **take_idle(SizeClass c);
  void **take_any(SizeClass c);
  void put_spare(void **magazine);
  void begin_age();

 private:
  using Number = uint16_t;
  Number number(void *const *magazine) const;
  void **magazine(Number n) const { return storage_ + n * kMagazineSlots; }
  Number pop(Number *stack);
  void push(Number *stack, Number n);

  void **storage_ = nullptr;
  Number made_ = 0;
  Number spare_ = 0;
  Number full_[kClassCount] = {};
  Number count_[kClassCount] = {};
    Number most_[kClassCount] = {};  // as the knob says; looked up once an age
  Number idle_[kClassCount] = {};  // the lowest that count_ has been in this age
  Number next_[kMagazines] = {};
};

}  // namespace hakmem

#endif  // HAKMEM_CACHE_DEPOT_H_
