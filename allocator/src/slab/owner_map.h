// owner_map.h - one byte for each 64 KiB page of the address window: what a free of a block there
// is to do on this heap's fast path.
//
// Purpose:    let free() learn the size class and the ownership of a block from one load.
// Boundary:   0 is the slow path (not this heap's, or large, huge, foreign, NULL); a size class is
//             "this heap's slab of that class"; kRemoteBin is "another heap's slab, seen before".
// Invariants: a byte is a size class exactly while this heap owns the slab there. Where a large
//             block begins it is 0 in all maps; to find the maps that called the place another
//             heap's, its superslab has a bit for each slab of which any did (`remote`).
// Threads:    bytes are relaxed atomics. The owner, or a thread that holds the owner's pool lock,
//             or one that makes a large block of a free slab, writes them; no valid program frees
//             a block of a slab while its byte changes, because a slab changes hands only when
//             none of its blocks is out.
#ifndef HAKMEM_SLAB_OWNER_MAP_H_
#define HAKMEM_SLAB_OWNER_MAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "os/os.h"
#include "superslab/superslab.h"

namespace hakmem {

inline constexpr size_t kOwnerMapBytes = size_t{1} << (kWindowShift - kSlabShift);

// A heap's map is mapped unwritable, so that what is never written costs address space only. It
// becomes writable by chunks: 64 KiB of it, which stand for 4 GiB of addresses.
inline constexpr size_t kOwnerChunkShift = 16;
inline constexpr size_t kOwnerChunks = kOwnerMapBytes >> kOwnerChunkShift;

class WritableChunks {
 public:
  // Whether entry `index` of the map at `bytes` may be written now.
  bool ensure(std::atomic<uint8_t> *bytes, size_t index) {
    const size_t chunk = index >> kOwnerChunkShift;
    std::atomic<uint64_t> &word = words_[chunk / 64];
    const uint64_t bit = uint64_t{1} << (chunk % 64);
    // acquire/release: whoever sees the bit may write.
    if (word.load(std::memory_order_acquire) & bit) return true;
    const uintptr_t begin = address_of(bytes + (chunk << kOwnerChunkShift));
    const uintptr_t end = align_up(begin + (size_t{1} << kOwnerChunkShift), kOsPageBytes);
    const uintptr_t base = align_down(begin, kOsPageBytes);
    if (!os::g_kernel->set_access(as_pointer(base), end - base, true)) return false;
    word.fetch_or(bit, std::memory_order_release);
    return true;
  }

 private:
  std::atomic<uint64_t> words_[kOwnerChunks / 64] = {};
};

class OwnerMap {
 public:
  constexpr OwnerMap() = default;
  // `bytes` has mask + 1 entries. A mask of 0 maps every address to entry 0, which stays 0: all
  // frees then take the slow path. That is the fallback when address space is short.
  constexpr OwnerMap(std::atomic<uint8_t> *bytes, uint64_t mask, WritableChunks *writable)
      : bytes_(bytes), mask_(mask), writable_(writable) {}

  void set(uintptr_t slab_address, size_t slabs, uint8_t value) {
    if (mask_ == 0) return;
    for (size_t i = 0; i < slabs; ++i) {
      const size_t index = index_of(slab_address) + i;
      // An entry that can't be written stays 0, the slow path, which is always right.
      if (!writable_->ensure(bytes_, index)) continue;
      bytes_[index].store(value, std::memory_order_relaxed);
    }
  }

  // The entry there becomes 0 if it has the value.
  void clear_if(uintptr_t slab_address, uint8_t value) {
    if (mask_ == 0) return;
    std::atomic<uint8_t> &entry = bytes_[index_of(slab_address)];
    if (entry.load(std::memory_order_relaxed) == value) entry.store(0, std::memory_order_relaxed);
  }

 private:
  size_t index_of(uintptr_t address) const { return (address >> kSlabShift) & mask_; }

  std::atomic<uint8_t> *bytes_ = nullptr;
  uint64_t mask_ = 0;
  WritableChunks *writable_ = nullptr;
};

}  // namespace hakmem

#endif  // HAKMEM_SLAB_OWNER_MAP_H_
