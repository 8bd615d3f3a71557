// cache.cc - refill and flush: the slow paths between a heap's magazines and its slabs.
#include <cstring>

#include "base/check.h"
#include "cache/heap.h"
#include "cache/heap_registry.h"
#include "remote/remote.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

constexpr size_t kSlowRefill = 8;
constexpr uint16_t kLoansPerCarve = 256;
constexpr size_t kSmallHeapBlocks = 1024;
// A magazine holds at most this many bytes of free blocks.
constexpr size_t kMaxMagazineBlockBytes = 64 * kKiB;
constexpr size_t kMinMagazineBlocks = 8;
// Ageing is looked at once in so many slow calls.
constexpr uint32_t kSlowCallsPerTick = 64;

constexpr size_t magazine_blocks(SizeClass c) {
  const size_t fit = kMaxMagazineBlockBytes / class_bytes(c);
  const size_t most = kMagazineSlots - 1;
  return fit > most ? most : fit < kMinMagazineBlocks ? kMinMagazineBlocks : fit;
}

void count(std::atomic<uint64_t> &counter, uint64_t n = 1) {
  // One writer (the heap's thread); relaxed, because readers want no more than a recent value.
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

// The slots of the magazine that `top` points into, from the one that holds the NULL sentinel up.
void **magazine_of(void *const *top) {
  return static_cast<void **>(as_pointer(align_down(address_of(top), kMagazineBytes)));
}
size_t sentinel_slot(size_t blocks) { return kMagazineSlots - 1 - blocks; }

size_t depot_limit(SizeClass c) {
  return static_cast<size_t>(knob(g_config.depot_kb)) * kKiB / (class_bytes(c) * kChunkBlocks);
}

DepotChunk *take_unused_chunk(Heap *heap) {
  if (DepotChunk *chunk = heap->unused_chunks) {
    heap->unused_chunks = chunk->next;
    return chunk;
  }
  if (heap->chunks_made == kDepotChunks) return nullptr;
  return depot_storage(heap) + heap->chunks_made++;
}

// Moves half a magazine's worth of blocks into the depot. False: the depot is full.
bool put_into_depot(Heap *heap, SizeClass c, void *const *blocks) {
  if (heap->depot_count[c] >= depot_limit(c)) return false;
  DepotChunk *chunk = take_unused_chunk(heap);
  if (chunk == nullptr) return false;
  memcpy(chunk->blocks, blocks, sizeof chunk->blocks);
  chunk->next = heap->depot[c];
  heap->depot[c] = chunk;
  ++heap->depot_count[c];
  return true;
}

bool take_from_depot(Heap *heap, SizeClass c, void **blocks) {
  DepotChunk *chunk = heap->depot[c];
  if (chunk == nullptr) return false;
  heap->depot[c] = chunk->next;
  --heap->depot_count[c];
  memcpy(blocks, chunk->blocks, sizeof chunk->blocks);
  chunk->next = heap->unused_chunks;
  heap->unused_chunks = chunk;
  return true;
}

void drain_depot(Heap *heap, SizeClass c) {
  void *blocks[kChunkBlocks];
  while (take_from_depot(heap, c, blocks)) heap->pool.put(c, blocks, kChunkBlocks);
}

void drain_magazine(Heap *heap, SizeClass c) {
  void **sentinel = magazine_of(heap->top[c]) + sentinel_slot(magazine_blocks(c));
  const auto n = static_cast<size_t>(heap->top[c] - sentinel);
  if (n == 0) return;
  heap->pool.put(c, sentinel + 1, n);
  heap->top[c] = sentinel;
}

// Classes would each keep the pages of their own highest need. So before new memory is carved, a
// free block of a slightly larger class serves, if a magazine has one; only after many such loans
// within one age has the class earned more of its own. Large heaps do not borrow: their pages fill
// up anyway, and the waste in larger blocks would cost more than it saves. Returns NULL if there is
// no loan.
void *borrow(Heap *heap, SizeClass c) {
  if (heap->blocks_carved > kSmallHeapBlocks) return nullptr;
  if (++heap->loans[c] % kLoansPerCarve == 0) return nullptr;
  const size_t largest = class_bytes(c) + class_bytes(c) / 8;
  for (size_t lender = c + size_t{1}; lender <= kShiftClasses; ++lender) {
    if (class_bytes(static_cast<SizeClass>(lender)) > largest) break;
    if (void *block = *heap->top[lender]) {
      --heap->top[lender];
      return block;
    }
  }
  return nullptr;
}

// How many blocks to carve: one more each time at first, then twice as many.
size_t grown_refill(Heap *heap, SizeClass c, size_t most) {
  const size_t last = heap->refill_size[c];
  const size_t wanted = last < kSlowRefill ? last + 1 : 2 * last;
  const size_t now = wanted < most ? wanted : most;
  heap->refill_size[c] = static_cast<uint8_t>(now);
  heap->blocks_carved += now;
  return now;
}

// What a heap keeps for later grows old too: once an age, blocks that wait for other heaps go home
// and empty slabs go to the page heap.
void age(Heap *heap) {
  if (++heap->slow_calls % kSlowCallsPerTick != 0) return;
  const uint32_t ticks = page_heap::tick();
  if (ticks == heap->ticks_seen) return;
  heap->ticks_seen = ticks;
  memset(heap->loans, 0, sizeof heap->loans);
  flush_remote(heap);
  heap->pool.release_empty_slabs();
}

}  // namespace

void init_magazines(Heap *heap, void **storage) {
  for (size_t bin = 1; bin < kBinCount; ++bin) {
    const size_t blocks =
        bin == kRemoteBin ? kMagazineSlots - 1 : magazine_blocks(static_cast<SizeClass>(bin));
    heap->top[bin] = storage + bin * kMagazineSlots + sentinel_slot(blocks);
  }
}

void discard_caches(Heap *heap) {
  for (size_t c = 1; c < kClassCount; ++c) {
    heap->depot[c] = nullptr;
    heap->depot_count[c] = 0;
    heap->refill_size[c] = 0;
  }
  heap->unused_chunks = nullptr;
  heap->chunks_made = 0;
}

void *refill(Heap *heap, SizeClass c, Lending lending) {
  age(heap);
  void **sentinel = heap->top[c];
  count(heap->counters.refills);
  if (take_from_depot(heap, c, sentinel + 1)) {
    count(heap->counters.depot_refills);
    heap->top[c] = sentinel + kChunkBlocks - 1;
    return sentinel[kChunkBlocks];
  }
  const size_t half = (magazine_blocks(c) + 1) / 2;
  void *blocks[kMagazineSlots];
  size_t got = heap->pool.take_used(c, blocks, half);
  if (got == 0) {
    if (lending == Lending::kAllowed) {
      if (void *block = borrow(heap, c)) return block;
    }
    got = heap->pool.take_new(c, blocks, grown_refill(heap, c, half));
  }
  if (got == 0) return nullptr;
  // The lowest address is popped first, so that the program walks upwards.
  for (size_t i = 1; i < got; ++i) sentinel[got - i] = blocks[i];
  heap->top[c] = sentinel + got - 1;
  return blocks[0];
}

void flush_and_push(Heap *heap, SizeClass c, void *block) {
  age(heap);
  count(heap->counters.flushes);
  const size_t blocks = magazine_blocks(c);
  void **sentinel = magazine_of(heap->top[c]) + sentinel_slot(blocks);
  const size_t oldest = blocks == kMagazineSlots - 1 ? kChunkBlocks : (blocks + 1) / 2;
  if (oldest == kChunkBlocks && put_into_depot(heap, c, sentinel + 1)) {
    count(heap->counters.depot_flushes);
  } else {
    heap->pool.put(c, sentinel + 1, oldest);
  }
  const size_t kept = blocks - oldest;
  memmove(sentinel + 1, sentinel + 1 + oldest, kept * sizeof(void *));
  sentinel[1 + kept] = block;
  heap->top[c] = sentinel + 1 + kept;
}

void free_remote(Heap *heap, Slab *slab, void *block) {
  if (heap->map_mask == 0) return remote::give_home(&block, 1);
  if (looks_full(heap->top[kRemoteBin] + 1)) flush_remote(heap);
  *++heap->top[kRemoteBin] = block;
  // From now on blocks of this slab come here by the fast path of free.
  OwnerMap(heap->owner_map(), heap->map_mask)
      .set(slab_address(slab), slab->run_slabs, static_cast<uint8_t>(kRemoteBin));
}

void flush_remote(Heap *heap) {
  if (heap->map_mask == 0) return;
  void **sentinel = magazine_of(heap->top[kRemoteBin]);
  const auto n = static_cast<size_t>(heap->top[kRemoteBin] - sentinel);
  if (n == 0) return;
  count(heap->counters.remote_flushes);
  count(heap->counters.remote_blocks, n);
  heap->top[kRemoteBin] = sentinel;
  remote::give_home(sentinel + 1, n);
}

void drain(Heap *heap) {
  flush_remote(heap);
  for (size_t c = 1; c < kClassCount; ++c) {
    drain_magazine(heap, static_cast<SizeClass>(c));
    drain_depot(heap, static_cast<SizeClass>(c));
    heap->refill_size[c] = 0;
  }
  heap->pool.release_empty_slabs();
}

}  // namespace hakmem
