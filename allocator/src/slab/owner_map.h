// owner_map.h - one byte for each 64 KiB page of the address window: what a free of a block there
// is to do on this heap's fast path.
//
// Purpose:    let free() learn the size class and the ownership of a block from one load.
// Boundary:   0 is the slow path (not this heap's, or large, huge, foreign, NULL); a size class is
//             "this heap's slab of that class"; kRemoteBin is "another heap's slab, seen before".
// Invariants: a byte is a size class exactly while this heap owns the slab there.
// Threads:    bytes are relaxed atomics. The owner, or a thread that holds the owner's pool lock,
//             writes them; no valid program frees a block of a slab while its byte changes, because
//             a slab changes hands only when none of its blocks is out.
#ifndef HAKMEM_SLAB_OWNER_MAP_H_
#define HAKMEM_SLAB_OWNER_MAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "superslab/superslab.h"

namespace hakmem {

inline constexpr size_t kOwnerMapBytes = size_t{1} << (kWindowShift - kSlabShift);

class OwnerMap {
 public:
  constexpr OwnerMap() = default;
  // `bytes` has mask + 1 entries. A mask of 0 maps every address to entry 0, which stays 0: all
  // frees then take the slow path. That is the fallback when address space is short.
  constexpr OwnerMap(std::atomic<uint8_t> *bytes, uint64_t mask) : bytes_(bytes), mask_(mask) {}

  void set(uintptr_t slab_address, size_t slabs, uint8_t value) {
    if (mask_ == 0) return;
    for (size_t i = 0; i < slabs; ++i) {
      bytes_[((slab_address >> kSlabShift) + i) & mask_].store(value, std::memory_order_relaxed);
    }
  }

 private:
  std::atomic<uint8_t> *bytes_ = nullptr;
  uint64_t mask_ = 0;
};

}  // namespace hakmem

#endif  // HAKMEM_SLAB_OWNER_MAP_H_
