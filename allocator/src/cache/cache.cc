// cache.cc - refill and flush: the slow paths between a heap's magazines and its slabs.
//
// Purpose:    fill a magazine that is empty and empty one that is full; once an age give back what
//             the heap had no use for.
// Owns:       the rules: how much is fetched, carved and lent, and how often a slow call looks at the
//             release clock. What a burst is: heap.h.
// Boundary:   declared in heap.h. Blocks come from the depot, the inbox and the slab pool; pages go
//             back through pool and page heap.
// Invariants: during a Visit no magazine and no owner map is hidden.
// Threads:    the heap's thread. Of a heap that no thread has, drain() under the registry's lock;
//             empty_inbox() any thread.
#include <cstring>

#include "base/check.h"
#include "cache/heap.h"
#include "cache/heap_registry.h"
#include "os/os.h"
#include "remote/remote.h"
#include "superslab/page_heap.h"
#include "superslab/release_policy.h"

namespace hakmem {
namespace {

constexpr size_t kCarveShare = 8;
constexpr uint16_t kLoansPerCarve = 256;
constexpr size_t kSmallHeapBlocks = 2048;
// Ageing is looked at once in so many slow calls.
constexpr uint32_t kSlowCallsPerTick = 64;
constexpr uint32_t kSlowCallsPerTickInBurst = 4;

// The newest block of a magazine; NULL if it is empty.
void *take_top(Heap *heap, SizeClass c) {
  void *block = *heap->top[c];
  if (block != nullptr) --heap->top[c];
  return block;
}

// Of a full magazine: puts it aside whole, or else its blocks into the slabs: all of them, because
// what is in reserve serves the next calls of malloc; but without a reserve the older half only.
void make_room(Heap *heap, SizeClass c) {
  count_one(heap, &ClassCounters::flushes, c);
  if (move_to_reserve(heap, c)) return;
  count(heap->counters.flushes);
  void **oldest = sentinel_of(magazine_of(heap->top[c]), c) + 1;
  const size_t blocks = magazine_blocks(c);
  const size_t kept = heap->depot.has_full(c) ? 0 : blocks / 2;
  heap->pool.put(c, oldest, blocks - kept);
  memmove(oldest, oldest + blocks - kept, kept * sizeof(void *));
  heap->top[c] = oldest + kept - 1;
}

void push(Heap *heap, SizeClass c, void *block) {
  if (looks_full(heap->top[c] + 1)) make_room(heap, c);
  *++heap->top[c] = block;
}

// Takes over what other threads have freed.
void collect_mail(Heap *heap) {
  if (!heap->inbox.has_mail()) return;
  void *blocks[kMagazineSlots];
  while (const size_t n = heap->inbox.collect(blocks, kMagazineSlots)) {
    count(heap->counters.mail_blocks, n);
    for (size_t i = 0; i < n; ++i) {
      const size_t index = owner_map_index(heap, blocks[i]);
      const uint8_t c = heap->owner_map()[index].load(std::memory_order_relaxed);
      if (c == 0) [[unlikely]] {  // its part of the map could not be made writable
        heap->pool.put(kAnyClass, &blocks[i], 1);
        continue;
      }
      ASSERT(c < kClassCount);
      push(heap, c, blocks[i]);
    }
  }
}

void empty_full_magazine(Heap *heap, SizeClass c, void **magazine) {
  heap->pool.put(c, sentinel_of(magazine, c) + 1, magazine_blocks(c));
  heap->depot.put_spare(magazine);
}

// Returns how many blocks that were.
size_t drain_magazine(Heap *heap, SizeClass c) {
  void **sentinel = sentinel_of(magazine_of(heap->top[c]), c);
  const auto n = static_cast<size_t>(heap->top[c] - sentinel);
  if (n == 0) return 0;
  heap->pool.put(c, sentinel + 1, n);
  heap->top[c] = sentinel;
  return n;
}

void give_back_run(Slab *run) { CHECK(page_heap::free_large(run, SlabKind::kCached)); }

// Keeps a run of large blocks in the place of the oldest: as many as make `most_bytes` with it.
[[gnu::noinline]] void replace_oldest_recent(Heap *heap, Slab *run, size_t most_bytes) {
  const size_t bytes = run->run_slabs * kSlabBytes;
  while (heap->recent.bytes() + bytes > most_bytes || !heap->recent.put(run))
    give_back_run(heap->recent.take_oldest());
  come_back_soon(heap);
}

// Classes would each keep the pages of their own highest need. So before new memory is carved, a
// free block of the next larger class serves, if its magazine has one and it is larger by an eighth at
// most; only after many such loans within one age has the class earned more of its own. Large heaps do
// not borrow: their pages fill up anyway, and the waste in larger blocks would cost more than it
// saves. Returns NULL if there is no loan.
void *borrow(Heap *heap, SizeClass c) {
  if (heap->blocks_carved > kSmallHeapBlocks || c < kEvenClasses || c + 1 == kClassCount)
    return nullptr;
  if (heap->loans[c] == kLoansPerCarve) {
    heap->loans[c] = 0;
    return nullptr;
  }
  void *block = take_top(heap, static_cast<SizeClass>(c + 1));
  if (block != nullptr) ++heap->loans[c];
  return block;
}

// How many blocks to carve: an eighth of what the class has carved so far, so that what is carved
// in vain stays small.
size_t grown_refill(Heap *heap, SizeClass c, size_t most) {
  const size_t wanted = heap->carved[c] / kCarveShare + 1;
  const size_t now = wanted < most ? wanted : most;
  heap->carved[c] += static_cast<uint32_t>(now);
  heap->blocks_carved += now;
  return now;
}

// Once an age, blocks that wait for other heaps or for this one go home, and what the last age had
// no use for goes back: full magazines to the slabs, empty slabs to the page heap.
void give_back_what_aged(Heap *heap, bool burst) {
  memset(heap->loans, 0, sizeof heap->loans);
  give_back_recent(heap);
  flush_remote(heap);
  collect_mail(heap);
  for (size_t i = 1; i < kClassCount; ++i) {
    const auto c = static_cast<SizeClass>(i);
    while (void **idle = heap->depot.take_idle(c)) empty_full_magazine(heap, c, idle);
    // A few blocks of a slab that is free otherwise keep all of it, so after a burst the newest
    // blocks go too.
    if (burst) drain_magazine(heap, c);
  }
  heap->depot.begin_age();
  heap->pool.release_empty_slabs();
  heap->pages_left =
      heap_registry::age_unused(heap->ages_seen.load(std::memory_order_relaxed), burst);
  if (burst) {
    const size_t calls =
        heap->pool.release_quiet_pages(release::Reason::kAged, kQuietAges, kReleaseCallsPerAge);
    if (calls >= kReleaseCallsPerAge) heap->pages_left = true;
  }
}

// Whether much is free, or was a short time ago and has not all gone back yet.
bool in_burst(const Heap *heap) {
  return heap->calm_ages < burst_ages(heap->pages_left) || page_heap::backlog();
}

void age(Heap *heap) {
  if (much_came_back(heap->pool, &heap->least_free_bytes)) heap->calm_ages = 0;
  const bool begins = heap->calls_to_tick > kSlowCallsPerTickInBurst && page_heap::backlog();
  if (heap->calls_to_tick != 0 && !begins) {
    --heap->calls_to_tick;
    return;
  }
  const bool burst = in_burst(heap);
  const uint32_t ages = page_heap::tick();
  if (ages != heap->ages_seen.load(std::memory_order_relaxed)) {
    heap->ages_seen.store(ages, std::memory_order_relaxed);
    heap->calm_ages = page_heap::backlog() ? 0 : heap->calm_ages + 1;
    give_back_what_aged(heap, burst);
  }
  heap->now_ms = os::g_kernel->now_ms();
  heap->calls_to_tick = in_burst(heap) ? kSlowCallsPerTickInBurst : kSlowCallsPerTick;
}

void hide_map(Heap *heap) {
  if (heap->watch.may_hide_map()) heap->map_mask = 0;
}

// A slow path's visit to the magazines, on behalf of one class: all are in sight during it, and what is
// watched is hidden again behind it.
class Visit {
 public:
  Visit(Heap *heap, SizeClass c) : heap_(heap), c_(c) {
    if (heap->watch.hidden()) heap->watch.reveal(heap->top);
    heap->map_mask = heap->whole_mask;
    age(heap);
  }
  ~Visit() {
    if (!in_burst(heap_)) return;
    heap_->watch.hide(heap_->top, empty_heap()->top[0], c_, heap_->now_ms);
    hide_map(heap_);
  }
  Visit(const Visit &) = delete;
  Visit &operator=(const Visit &) = delete;

 private:
  Heap *heap_;
  SizeClass c_;
};

// A class whose magazine has a block, a small one rather; 0: there is none.
SizeClass class_with_blocks(const Heap *heap) {
  for (size_t c = 1; c < kClassCount; ++c) {
    if (heap->top[c] != sentinel_of(magazine_of(heap->top[c]), c)) return static_cast<SizeClass>(c);
  }
  return 0;
}

}  // namespace

void come_back_soon(Heap *heap) {
  Watch &watch = heap->watch;
  const bool unwatched = page_heap::backlog() && !watch.hidden();
  if (heap->calls_to_tick != 0 && !unwatched) {
    --heap->calls_to_tick;
    if (in_burst(heap)) hide_map(heap);
    return;
  }
  if (watch.hidden()) watch.reveal(heap->top);
  const SizeClass c = unwatched ? class_with_blocks(heap) : SizeClass{0};
  age(heap);  // may empty the magazines
  if (!in_burst(heap)) return;
  watch.add(c);
  watch.hide_again(heap->top, empty_heap()->top[0], heap->now_ms);
  hide_map(heap);
}

void answer_hidden_map(Heap *heap) {
  heap->map_mask = heap->whole_mask;
  heap->watch.count_map_call();
  come_back_soon(heap);
}

bool keep_recent(Heap *heap, Slab *run) {
  const size_t bytes = run->run_slabs * kSlabBytes;
  const size_t depot_bytes = static_cast<size_t>(knob(g_config.depot_kb)) * kKiB;
  const size_t most =
      depot_bytes < HeapRecentRuns::kMostBytes ? depot_bytes : HeapRecentRuns::kMostBytes;
  if (bytes > most || heap->calls_to_tick == 0 || release::wanted(release::Reason::kEmptied))
    return false;
  if (!run->change_kind(SlabKind::kLarge, SlabKind::kCached)) return false;
  --heap->calls_to_tick;
  if (heap->recent.bytes() + bytes > most || !heap->recent.put(run)) [[unlikely]]
    replace_oldest_recent(heap, run, most);
  return true;
}

void give_back_recent(Heap *heap) {
  while (Slab *run = heap->recent.take_oldest()) give_back_run(run);
}

void reset_magazines(Heap *heap, void **storage) {
  for (size_t bin = 1; bin < kBinCount; ++bin) {
    heap->top[bin] = sentinel_of(storage + bin * kMagazineSlots, bin);
  }
  heap->depot.reset(storage);
  heap->watch = {};
}

void *refill(Heap *heap, SizeClass c, Lending lending) {
  const Visit visit(heap, c);
  collect_mail(heap);
  if (void *block = take_top(heap, c)) return block;
  if (void *block = pop_from_reserve(heap, c)) return block;
  count(heap->counters.refills);

  void **sentinel = heap->top[c];
  const size_t most = (magazine_blocks(c) + 1) / 2;
  size_t want = most;
  size_t got = heap->pool.take_used(c, sentinel + 1 + want, want);
  if (heap->depot.is_cold()) fetch_first_lines(sentinel + want, got);
  if (got == 0) {
    if (lending == Lending::kAllowed) {
      if (void *block = borrow(heap, c)) return block;
    }
    want = grown_refill(heap, c, most);
    got = heap->pool.take_new(c, sentinel + 1 + want, want);
  }
  if (got == 0) return nullptr;
  if (got < want) memmove(sentinel + 1, sentinel + 1 + want - got, got * sizeof(void *));
  heap->top[c] = sentinel + got;
  return take_top(heap, c);
}

void flush_and_push(Heap *heap, SizeClass c, void *block) {
  const Visit visit(heap, c);
  push(heap, c, block);
}

void free_remote(Heap *heap, Slab *slab, void *block) {
  if (heap->whole_mask == 0) {
    remote::give_home(&block, 1);
    return come_back_soon(heap);
  }
  if (looks_full(heap->top[kRemoteBin] + 1)) {
    flush_remote(heap);
    // Threads that free each other's blocks keep step so, and no inbox runs over into the slabs.
    if (!heap->watch.hidden()) collect_mail(heap);
    // Who frees only what others have allocated makes no other slow calls.
    come_back_soon(heap);
  }
  *++heap->top[kRemoteBin] = block;
  // From now on blocks of this slab come here by the fast path of free.
  superslab_of(slab)->remote.set(index_of(superslab_of(slab), slab), slab->run_slabs);
  OwnerMap(heap->owner_map(), heap->whole_mask, &heap->writable_chunks)
      .set(slab_address(slab), slab->run_slabs, static_cast<uint8_t>(kRemoteBin));
}

void flush_remote(Heap *heap) {
  if (heap->whole_mask == 0) return;
  void **sentinel = magazine_of(heap->top[kRemoteBin]);
  const auto n = static_cast<size_t>(heap->top[kRemoteBin] - sentinel);
  if (n == 0) return;
  count(heap->counters.remote_flushes);
  count(heap->counters.remote_blocks, n);
  heap->top[kRemoteBin] = sentinel;
  remote::give_home(sentinel + 1, n);
}

void empty_inbox(Heap *heap) {
  void *blocks[kMagazineSlots];
  while (const size_t n = heap->inbox.collect(blocks, kMagazineSlots)) {
    heap->pool.put(kAnyClass, blocks, n);
  }
}

size_t drain(Heap *heap) {
  size_t blocks = 0;
  heap->watch.reveal(heap->top);
  flush_remote(heap);
  empty_inbox(heap);
  for (size_t i = 1; i < kClassCount; ++i) {
    const auto c = static_cast<SizeClass>(i);
    blocks += drain_magazine(heap, c);
    while (void **full = heap->depot.take_any(c)) {
      empty_full_magazine(heap, c, full);
      blocks += magazine_blocks(c);
    }
    heap->carved[c] = 0;
    heap->loans[c] = 0;
  }
  heap->blocks_carved = 0;
  give_back_recent(heap);
  heap->pool.release_empty_slabs();
  return blocks;
}

}  // namespace hakmem
