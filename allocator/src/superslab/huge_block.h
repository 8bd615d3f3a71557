// huge_block.h - what is known of a block that has a mapping of its own, or several.
//
// Purpose:    the record that huge_blocks, huge_cache and huge_mapping share.
// Boundary:   data; the mappings are changed by huge_mapping.h only, so that this stays true.
// Threads:    under the huge blocks' lock, unless said otherwise.
#ifndef HAKMEM_SUPERSLAB_HUGE_BLOCK_H_
#define HAKMEM_SUPERSLAB_HUGE_BLOCK_H_

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/units.h"

namespace hakmem {

// What one page of a page table maps: the kernel moves these whole, and not entry by entry.
inline constexpr size_t kPageTableBytes = 2 * kMiB;

// The offsets at which a block goes on in another of the kernel's mappings, each a multiple of
// kPageTableBytes. A block has some once it was put together of kept ones. The kernel resizes and
// moves one mapping at a time.
class Seams {
 public:
  static constexpr size_t kMost = 31;

  size_t room() const { return kMost - count_; }
  // Where the last mapping begins.
  size_t last() const { return count_ == 0 ? 0 : at_[count_ - 1] * kPageTableBytes; }
  void add(size_t offset) {
    ASSERT(offset == 0 || room() > 0);
    if (offset > 0) at_[count_++] = static_cast<uint32_t>(offset / kPageTableBytes);
  }
  // The block has become shorter.
  void drop_from(size_t offset) {
    while (count_ > 0 && last() >= offset) --count_;
  }

 private:
  uint32_t at_[kMost];
  uint32_t count_;
};

struct HugeBlock {
  void *base;
  size_t mapped_bytes;  // of a kept block whole page tables
  // What the program may use; 0: it does not hold the block. What is mapped beyond is kept for others.
  // Read without the lock by a thread that holds the block: only its own calls change it.
  size_t usable_bytes;
  HugeBlock *next;    // in the list of unused records, or in the huge cache
  HugeBlock *prev;    // in the huge cache
  uint64_t notes[2];  // the hardened variant's; 0 when allocated
  Seams seams;
  uint8_t ages;  // that have begun since it, or its spare, is kept; 2 are enough
  bool advised;  // huge pages were asked for

  bool live() const { return usable_bytes != 0; }
  size_t spare_bytes() const { return mapped_bytes - usable_bytes; }
};

}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_HUGE_BLOCK_H_
