// huge_blocks.h - blocks that have a mapping of their own.
//
// Purpose:    blocks above 4 MiB, or aligned beyond 4 MiB.
// Owns:       a HugeBlock record for each, outside the block, so that it begins on its mapping, and
//             how a block is put together of the pages of kept ones.
// Boundary:   addresses come from the address window, 32 MiB aligned at least. Which freed blocks are
//             kept with their pages, and which of them serves, is the huge cache's to say.
// Invariants: the address window finds a block as long as the program holds it, and no longer.
// Threads:    any; all under one lock.
#ifndef HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_
#define HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/units.h"
#include "superslab/huge_cache.h"

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
  size_t mapped_bytes;  // usable size: a multiple of the OS page
  HugeBlock *next;      // in the list of unused records, or of kept blocks
  uint64_t notes[2];    // the hardened variant's; 0 when allocated
  Seams seams;
  bool live;     // the program holds it
  bool fresh;    // kept, and not for a whole age yet
  bool advised;  // huge pages were asked for
};

namespace huge_blocks {

enum class Contents { kZeroed, kAny };
// NULL: no memory; there may be some once what is kept has been released.
void *allocate(size_t bytes, size_t alignment, Contents contents);
// False: the block is not in use (any more).
bool free(HugeBlock *block);
// New address of the block, moved without copying if need be; NULL: unchanged, for there is no
// memory, not even without what is kept, or its pages are in several mappings.
void *resize(HugeBlock *block, size_t new_bytes);

// At a tick of the release clock: gives kept blocks of age back, as many as one tick may. Whether
// some are left.
bool release_aged(bool age_begins);
// Gives all that is kept back. Returns the bytes.
size_t release_kept();
// Whether anything is kept; a hint.
bool keeps_any();

struct Totals {
  size_t blocks, mapped_bytes;  // that the program holds
  huge_cache::Totals kept;
};
Totals totals();

// For an onlooker who holds the lock: the mappings of the blocks, and of their records.
enum class Extent { kLive, kKept, kRecords };
using ExtentVisitor = void (*)(void *context, const void *base, size_t bytes, Extent extent);
void for_each_extent(ExtentVisitor visit, void *context);

void lock_for_fork();
void unlock_after_fork();
void reset_after_fork();

}  // namespace huge_blocks
}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_HUGE_BLOCKS_H_
