// heap.h - the thread cache: what malloc and free touch on their fast paths.
//
// Purpose:    one Heap a thread: a magazine (a small stack of free blocks) for each size class.
// Owns:       the magazines, the depot behind them, the owner map, and the thread's slab pool.
// Boundary:   fast paths read t_heap, a byte of the class table (malloc) or of the owner map (free),
//             one top pointer and one magazine slot; they touch neither the block nor any slab.
//             Everything else is in cache.cc.
// Invariants: magazine.h: neither path compares with a bound. top[0] and all of the empty heap look
//             both empty and full, for ever: NULL, foreign, large and huge blocks, those of other
//             heaps' slabs that no free has met yet, and threads without a heap, reach the slow
//             path by the same two tests, and no initialisation check exists.
// Threads:    a Heap is used by its thread only, except for its pool and its inbox (which have
//             locks) and the bytes of the owner map (see there). Heaps are adopted whole by later
//             threads and never freed.
#ifndef HAKMEM_CACHE_HEAP_H_
#define HAKMEM_CACHE_HEAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "cache/depot.h"
#include "cache/magazine.h"
#include "cache/watch.h"
#include "config/config.h"
#include "sizeclass/sizeclass.h"
#include "slab/inbox.h"
#include "slab/owner_map.h"
#include "slab/slab_pool.h"
#include "superslab/recent_runs.h"

namespace hakmem {

// Counters of slow paths, kept always; those of fast paths exist in the observe build only.
struct HeapCounters {
  std::atomic<uint64_t> refills, depot_refills, flushes, depot_flushes, remote_flushes,
      remote_blocks, mail_blocks;
};
// A malloc is a hit (its magazine had a block) or a refill, counted by the class of the block that
// it got. A free is one of the heap's own blocks or remote, another's.
struct ClassCounters {
  std::atomic<uint64_t> hits, refills, frees, remote_frees, flushes;
};

// Of a heap that no thread has, or whose thread is idle.
struct UnusedState {
  uint8_t ages = 0;          // that have begun since, up to some
  bool drained = false;      // it caches nothing any more that others can give back
  uint8_t quiet_rounds = 0;  // in which free pages of its slabs could go back
  size_t free_bytes = 0;     // in its slabs, at most as many as when these rounds began
  uint32_t ages_seen = 0;    // by its thread, if it has one
};

// What other threads cannot use must stay little: a few runs of 512 KiB together.
using HeapRecentRuns = RecentRuns<4, 8>;

struct alignas(64) Heap {
  // Fast paths.
  void **top[kBinCount] = {};
  // Of the owner map; 0: there is none, or it is hidden, which makes each free a slow call.
  uint64_t map_mask = 0;

  // Slow paths.
  uint64_t whole_mask = 0;
  uint32_t carved[kClassCount] = {};  // blocks
  uint16_t loans[kClassCount] = {};   // from the next larger class, since it carved or an age began
  size_t blocks_carved = 0;           // over all classes, since the heap was made or drained
  uint32_t calls_to_tick = 0;         // slow calls until ageing is looked at
  std::atomic<uint32_t> ages_seen{0};   // relaxed: others want to know whether the thread is idle
  uint64_t now_ms = 0;                  // when ageing was last looked at
  uint32_t calm_ages = UINT32_MAX / 2;  // ages since much waited to go back
  bool pages_left = false;              // the last age had no time for all that could go back
  std::atomic<size_t> least_free_bytes{0};  // see much_came_back()
  bool in_use = false;                      // a thread has it; under the heap registry's lock
  UnusedState unused;                       // likewise
  Heap *next_unused = nullptr;
  Heap *next = nullptr;     // all heaps, never shortened
  alignas(64) Inbox inbox;  // written by other threads
  alignas(64) SlabPool pool;
  Depot depot;
  HeapRecentRuns recent;
  Watch watch;
  WritableChunks writable_chunks;
  HeapCounters counters = {};
  ClassCounters class_counters[kObserve ? kClassCount : 1] = {};

  // The owner map lies right behind the struct.
  std::atomic<uint8_t> *owner_map() { return reinterpret_cast<std::atomic<uint8_t> *>(this + 1); }
};

extern constinit __thread Heap *t_heap __attribute__((tls_model("initial-exec")));

// What a thread without a heap has: looks empty to malloc and full to free, and is never written.
const Heap *empty_heap();

inline bool map_is_hidden(const Heap *heap) { return heap->map_mask != heap->whole_mask; }

// As the fast paths see it: 0, whose entry is 0, while the map is hidden.
inline size_t visible_map_index(const Heap *heap, const void *block) {
  return (address_of(block) >> kSlabShift) & heap->map_mask;
}
inline size_t owner_map_index(const Heap *heap, const void *block) {
  return (address_of(block) >> kSlabShift) & heap->whole_mask;
}

inline void count(std::atomic<uint64_t> &counter, uint64_t n = 1) {
  // One writer (the heap's thread); relaxed, because readers want no more than a recent value.
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

inline void count_one(Heap *heap, std::atomic<uint64_t> ClassCounters::*counter, size_t c) {
  if constexpr (kObserve) count(heap->class_counters[c].*counter);
}

// --- swapping magazines with the depot: the first step of both slow paths

// A block of the class, whose magazine is empty; NULL: there is none in reserve.
inline void *pop_from_reserve(Heap *heap, SizeClass c) {
  ASSERT(*heap->top[c] == nullptr);  // else its blocks were lost
  void **full = heap->depot.take_full(c, magazine_of(heap->top[c]));
  if (full == nullptr) return nullptr;
  count(heap->counters.depot_refills);
  void **top = full + kMagazineSlots - 1;
  heap->top[c] = top - 1;
  if (heap->depot.is_cold()) fetch_first_lines(top, magazine_blocks(c));
  return *top;
}

// Puts a full magazine aside. False: the reserve is full.
inline bool move_to_reserve(Heap *heap, SizeClass c) {
  void **empty = heap->depot.put_full(c, magazine_of(heap->top[c]));
  if (empty == nullptr) return false;
  count(heap->counters.depot_flushes);
  heap->top[c] = sentinel_of(empty, c);
  *heap->top[c] = nullptr;
  return true;
}

// --- bursts: much is free, or was a short time ago

// What comes back to slabs in use is one if it is more than depots give and take.
inline constexpr size_t kBurstBytes = 16 * kMiB;
inline constexpr size_t kBurstShare = 16;  // of a large heap, whose ups and downs are larger

// For so many ages single pages of slabs go back. What is left then has its turn in those that
// follow, but not for ever: where blocks come and go all over a large heap there is always more.
inline constexpr uint32_t kBurstAges = 16;
inline constexpr uint32_t kMostBurstAges = 8 * kBurstAges;
// Free pages go once no block has come back to their slab for so many ages, by so many calls of the
// kernel in one.
inline constexpr unsigned kQuietAges = 2;
inline constexpr size_t kReleaseCallsPerAge = 2048;
inline uint32_t burst_ages(bool pages_left) { return pages_left ? kMostBurstAges : kBurstAges; }

// Whether so much more that is free in the pool's slabs makes one.
inline bool is_burst(size_t more_bytes, const SlabPool &pool) {
  return more_bytes >= kBurstBytes && more_bytes >= pool.carved_bytes() / kBurstShare;
}

// Whether much has come back to slabs of which some blocks are in use: the page heap knows nothing
// of it. *least_free_bytes: in the slabs, since the last burst that began there. relaxed: of threads
// that share a pool, one may miss what the next will see.
inline bool much_came_back(const SlabPool &pool, std::atomic<size_t> *least_free_bytes) {
  const size_t now = pool.free_bytes();
  size_t least = least_free_bytes->load(std::memory_order_relaxed);
  if (now < least) {
    least_free_bytes->store(now, std::memory_order_relaxed);
    least = now;
  }
  if (!is_burst(now - least, pool)) return false;
  least_free_bytes->store(now, std::memory_order_relaxed);
  return true;
}

// --- slow paths, cache.cc

// Whether a block of a slightly larger class will do. Not where alignment is wanted, which comes from
// the class's own size.
enum class Lending : bool { kForbidden, kAllowed };

// A block of the class; the magazine of `heap` is empty. NULL: no memory.
void *refill(Heap *heap, SizeClass c, Lending lending);
// Takes a block of one of the heap's own slabs whose magazine is full.
void flush_and_push(Heap *heap, SizeClass c, void *block);
// After frees of blocks without a magazine: ages, now and then, and sees to it that the heap's thread
// comes to a slow path soon if much waits to go back to the kernel.
void come_back_soon(Heap *heap);
// A free has come that is slow only because the owner map is hidden: shows it, and ages.
void answer_hidden_map(Heap *heap);
// Keeps the run of a large block that was freed for the next of its size. False: it is not for this
// heap, or it is time for more than that.
bool keep_recent(Heap *heap, Slab *run);
// Before a large block is looked for elsewhere: gives the page heap what keep_recent() has kept.
void give_back_recent(Heap *heap);
// Takes a small block of another heap's slab.
void free_remote(Heap *heap, Slab *slab, void *block);
// Makes all magazines empty, whatever state they are in: for a new heap, or to forget what an old
// one caches; those blocks stay lost. `storage`: Depot::kStorageBytes.
void reset_magazines(Heap *heap, void **storage);
// Gives all that the heap caches back to the slabs they came from. Returns about how many blocks
// that were.
size_t drain(Heap *heap);
// Takes home what waits for other heaps.
void flush_remote(Heap *heap);
// Puts what waits in the heap's inbox into its slabs. Any thread.
void empty_inbox(Heap *heap);

}  // namespace hakmem

#endif  // HAKMEM_CACHE_HEAP_H_
