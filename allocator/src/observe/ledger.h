// ledger.h - the RSS ledger: every resident page of the process, by owner.
//
// Purpose:    answer "why is RSS what it is", and check the answer against the kernel.
// Boundary:   reads the layers' records between heap_registry::freeze() and thaw(), and the pages'
//             residency from the kernel. Never reads a block. Allocates nothing: what it works in is
//             a mapping of its own, which it counts as its own.
// Invariants: each byte of a resident page has exactly one owner. rss_bytes = the sum over owners +
//             residual_bytes.
// Threads:    any; exact while the program's other threads are still.
// Gate:       the observe build.
#ifndef HAKMEM_OBSERVE_LEDGER_H_
#define HAKMEM_OBSERVE_LEDGER_H_

#include <cstddef>
#include <cstdint>

namespace hakmem::observe {

#define HAKMEM_LEDGER_OWNERS(OWNER)                                                              \
  OWNER(kLiveBlocks, "live_blocks", "blocks that the program holds, up to 4 MiB each")           \
  OWNER(kSlack, "slack", "free bytes on pages that a live or cached block keeps resident")       \
  OWNER(kThreadCaches, "thread_caches", "free blocks at hand: in magazines, and large ones")     \
  OWNER(kDepotTransfer, "depot_transfer",                                                        \
        "free blocks in depots, in inboxes, or waiting to go home to another thread")            \
  OWNER(kWarmEmptySlabs, "warm_empty_slabs",                                                     \
        "slabs without a block: kept by their heap, or in the warm pool")                        \
  OWNER(kNeverUsed, "never_used", "resident, but no block has been handed out there")            \
  OWNER(kFreeRuns, "free_runs",                                                                  \
        "free pages that have not gone back to the kernel yet, of huge blocks too")              \
  OWNER(kMetadata, "metadata", "headers of superslabs, records of huge blocks, the unit table")  \
  OWNER(kOwnerMaps, "owner_maps", "the heaps' maps from page to size class")                     \
  OWNER(kHeaps, "heaps", "the heaps themselves: magazines' slots, inboxes, counters")            \
  OWNER(kHugeBlocks, "huge_blocks", "blocks above 4 MiB, with mappings of their own")            \
  OWNER(kOtherAnonymous, "other_anonymous",                                                      \
        "anonymous memory that is not hakmem's: the program's own mappings, brk, .bss")          \
  OWNER(kOtherFiles, "other_files", "program, libraries and other mapped files, their data too") \
  OWNER(kStacks, "stacks", "stacks of threads")                                                  \
  OWNER(kLedger, "ledger", "what this ledger was worked out in")

enum class Owner : uint8_t {
#define OWNER(id, name, doc) id,
  HAKMEM_LEDGER_OWNERS(OWNER)
#undef OWNER
      kCount
};
inline constexpr size_t kOwnerCount = static_cast<size_t>(Owner::kCount);

struct OwnerRow {
  const char *name, *doc;
};
extern const OwnerRow kOwners[kOwnerCount];

struct Ledger {
  const char *error;  // NULL, or why there is none
  uint64_t rss_bytes;
  uint64_t owner_bytes[kOwnerCount];
  uint64_t blocks_held_bytes;  // of the blocks that the program holds, resident or not

  uint64_t of(Owner owner) const { return owner_bytes[static_cast<size_t>(owner)]; }
  uint64_t sum() const {
    uint64_t total = 0;
    for (const uint64_t bytes : owner_bytes) total += bytes;
    return total;
  }
  int64_t residual_bytes() const { return static_cast<int64_t>(rss_bytes - sum()); }
};

Ledger take_ledger();

// At most cap bytes, NUL included; returns the length without NUL that it needs.
size_t write_ledger_json(const Ledger &ledger, char *buf, size_t cap);

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_LEDGER_H_
