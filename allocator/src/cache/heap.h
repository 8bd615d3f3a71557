// heap.h - the thread cache: what malloc and free touch on their fast paths.
//
// Purpose:    one Heap a thread: a magazine (a small stack of free blocks) for each size class.
// Owns:       the magazines, the depot behind them, the owner map, and the thread's slab pool.
// Boundary:   fast paths read t_heap, one top pointer, one magazine slot and (free) one byte of the
//             owner map; they touch neither the block nor any slab. Everything else is in cache.cc.
// Invariants: a magazine is 64 slots, 512-byte aligned. Its lowest usable slot holds NULL, so
//             popping an empty magazine gives NULL; a push beyond its last slot makes the pointer a
//             multiple of 512. So neither path compares with a bound. top[0] and all of the empty
//             heap look both empty and full, for ever: NULL, foreign, large, huge and other heaps'
//             blocks, and threads without a heap, reach the slow path by the same two tests, and no
//             initialisation check exists.
// Threads:    a Heap is used by its thread only, except for its pool (which has a lock) and the
//             bytes of the owner map (see there). Heaps are adopted whole by later threads and
//             never freed.
#ifndef HAKMEM_CACHE_HEAP_H_
#define HAKMEM_CACHE_HEAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "config/config.h"
#include "sizeclass/sizeclass.h"
#include "slab/owner_map.h"
#include "slab/slab_pool.h"

namespace hakmem {

inline constexpr size_t kMagazineSlots = 64;
inline constexpr size_t kMagazineBytes = kMagazineSlots * sizeof(void *);

// Blocks of other heaps, waiting to be taken home in a batch. Not a size class: malloc never pops
// it.
inline constexpr size_t kRemoteBin = kClassCount;
inline constexpr size_t kBinCount = kClassCount + 1;

// Half a magazine, behind it.
inline constexpr size_t kChunkBlocks = 31;
struct DepotChunk {
  void *blocks[kChunkBlocks];
  DepotChunk *next;
};
inline constexpr size_t kDepotChunks = 1024;

// Counters of slow paths, kept always; those of fast paths exist in the observe build only.
struct HeapCounters {
  std::atomic<uint64_t> refills, depot_refills, flushes, depot_flushes, remote_flushes,
      remote_blocks;
};
struct ClassCounters {
  std::atomic<uint64_t> allocs, frees;
};

struct alignas(64) Heap {
  // Fast paths.
  void **top[kBinCount] = {};
  uint64_t map_mask = 0;

  // Slow paths.
  uint8_t refill_size[kClassCount] = {};   // grows to half a magazine
  uint16_t loans[kClassCount] = {};        // blocks that larger classes have lent
  size_t blocks_carved = 0;                // over all classes
  uint16_t depot_count[kClassCount] = {};  // chunks in the depot
  DepotChunk *depot[kClassCount] = {};
  DepotChunk *unused_chunks = nullptr;
  size_t chunks_made = 0;
  uint32_t slow_calls = 0;
  uint32_t ticks_seen = 0;
  bool in_use = false;  // a thread has it; under the heap registry's lock
  Heap *next_unused = nullptr;
  Heap *next = nullptr;  // all heaps, never shortened
  SlabPool pool;
  HeapCounters counters = {};
  ClassCounters class_counters[kObserve ? kClassCount : 1] = {};

  // The owner map lies right behind the struct.
  std::atomic<uint8_t> *owner_map() { return reinterpret_cast<std::atomic<uint8_t> *>(this + 1); }
};

extern constinit __thread Heap *t_heap __attribute__((tls_model("initial-exec")));

inline bool looks_full(void *const *top) {
  return (reinterpret_cast<uintptr_t>(top) & (kMagazineBytes - 1)) == 0;
}

// What a thread without a heap has: looks empty to malloc and full to free, and is never written.
const Heap *empty_heap();

inline size_t owner_map_index(const Heap *heap, const void *block) {
  return (address_of(block) >> kSlabShift) & heap->map_mask;
}

// --- slow paths, cache.cc
// ---------------------------------------------------------------------------

// Whether a block of a slightly larger class will do. Not where alignment is wanted, which comes from
// the class's own size.
enum class Lending : bool { kForbidden, kAllowed };

// A block of the class; the magazine of `heap` is empty. NULL: no memory.
void *refill(Heap *heap, SizeClass c, Lending lending);
// Takes a block of one of the heap's own slabs whose magazine is full.
void flush_and_push(Heap *heap, SizeClass c, void *block);
// Takes a small block of another heap's slab.
void free_remote(Heap *heap, Slab *slab, void *block);
// Sets up the magazines of a new heap in `storage` (kBinCount of them, zeroed), all empty.
void init_magazines(Heap *heap, void **storage);
// Forgets what the heap caches, whatever state it is in; the blocks stay lost.
void discard_caches(Heap *heap);
// Gives all that the heap caches back to the slabs they came from.
void drain(Heap *heap);
// Takes home what waits for other heaps.
void flush_remote(Heap *heap);

}  // namespace hakmem

#endif  // HAKMEM_CACHE_HEAP_H_
