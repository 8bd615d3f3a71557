// magazine.h - the shape of a magazine: a small stack of free blocks of one size class.
//
// Purpose:    what the fast paths, the depot and the slow paths must agree on.
// Boundary:   layout and arithmetic; whose magazine it is and who fills it, heap.h says.
// Invariants: 64 slots, 512-byte aligned. A magazine of a class that holds n blocks at most uses
//             its last n slots; the slot below them is its sentinel and holds NULL, so that popping
//             an empty magazine gives NULL. A push beyond the last slot makes the pointer a
//             multiple of 512. So neither path compares with a bound.
#ifndef HAKMEM_CACHE_MAGAZINE_H_
#define HAKMEM_CACHE_MAGAZINE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "sizeclass/sizeclass.h"

namespace hakmem {

inline constexpr size_t kMagazineSlots = 64;
inline constexpr size_t kMagazineBytes = kMagazineSlots * sizeof(void *);

// A magazine holds at most this many bytes of free blocks.
inline constexpr size_t kMaxMagazineBlockBytes = 64 * kKiB;
inline constexpr size_t kMinMagazineBlocks = 8;

// Blocks of other heaps, waiting to be taken home in a batch. Not a size class: malloc never pops
// it.
inline constexpr size_t kRemoteBin = kClassCount;
inline constexpr size_t kBinCount = kClassCount + 1;

namespace detail {

constexpr auto make_magazine_blocks() {
  const size_t most = kMagazineSlots - 1;
  std::array<uint8_t, kBinCount> blocks{};
  for (size_t c = 1; c < kClassCount; ++c) {
    const size_t fit = kMaxMagazineBlockBytes / class_bytes(static_cast<SizeClass>(c));
    blocks[c] = static_cast<uint8_t>(fit > most                 ? most
                                     : fit < kMinMagazineBlocks ? kMinMagazineBlocks
                                                                : fit);
  }
  blocks[kRemoteBin] = most;
  return blocks;
}
inline constexpr auto kMagazineBlocks = make_magazine_blocks();

}  // namespace detail

// How many blocks a magazine of this bin holds.
constexpr size_t magazine_blocks(size_t bin) { return detail::kMagazineBlocks[bin]; }

inline bool looks_full(void *const *top) {
  return (reinterpret_cast<uintptr_t>(top) & (kMagazineBytes - 1)) == 0;
}

// The magazine that `top` points into.
inline void **magazine_of(void *const *top) {
  return static_cast<void **>(as_pointer(align_down(address_of(top), kMagazineBytes)));
}

inline void **sentinel_of(void **magazine, size_t bin) {
  return magazine + (kMagazineSlots - 1 - magazine_blocks(bin));
}

// Blocks that come in a batch may have been touched last long ago. Their first lines are fetched side by
// side, because the program's writes to them would wait for each other (docs/analysis/0014).
// The newest first: malloc hands them out in that order.
inline void fetch_first_lines(void *const *newest, size_t count) {
  for (void *const *end = newest - count; newest != end; --newest) __builtin_prefetch(*newest, 1);
}

}  // namespace hakmem

#endif  // HAKMEM_CACHE_MAGAZINE_H_
