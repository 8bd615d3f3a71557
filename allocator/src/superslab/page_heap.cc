#include "superslab/page_heap.h"

#include <atomic>
#include <cstring>

#include "base/check.h"
#include "config/config.h"
#include "os/guard.h"
#include "os/lock.h"
#include "os/os.h"
#include "superslab/free_runs.h"
#include "superslab/huge_blocks.h"
#include "superslab/recent_runs.h"
#include "superslab/release_policy.h"
#include "superslab/warm_pool.h"

namespace hakmem::page_heap {
namespace {

using release::Reason;

// At most this much, or an eighth of what waits if that is more, goes back in one tick.
constexpr size_t kMinReleaseBytesPerTick = 32 * kMiB;
// While more waits, the next tick comes so soon.
constexpr uint64_t kBacklogTickMs = 30;
constexpr size_t kMinSuperslabSlabs = 16;
constexpr ptrdiff_t kBacklogSlabs = 2 * kMiB / kSlabBytes;
constexpr size_t kHugePageBytes = 2 * kMiB;
constexpr size_t kHugePageSlabs = kHugePageBytes / kSlabBytes;

struct State {
  os::Lock lock;
  FreeRuns free_runs;
  RecentRuns recent;
  Superslab *superslabs;
  size_t superslab_count;
  size_t mapped_bytes;
  uint64_t next_age_ms;
  // Free and touched, about: counted exactly at each tick, and followed from there.
  ptrdiff_t waiting_slabs;
};
constinit State g{};
// Read without the lock by callers of tick(); relaxed: only a hint that time has passed.
constinit std::atomic<uint32_t> g_ages{0};
constinit std::atomic<uint64_t> g_next_tick_ms{0};
constinit std::atomic<bool> g_backlog{false};

// --- superslabs
// -----------------------------------------------------------------------------------

void unlink_superslab(Superslab *superslab) {
  if (superslab->next != nullptr) superslab->next->prev = superslab->prev;
  if (superslab->prev != nullptr) {
    superslab->prev->next = superslab->next;
  } else {
    g.superslabs = superslab->next;
  }
}

void link_superslab(Superslab *superslab) {
  superslab->prev = nullptr;
  superslab->next = g.superslabs;
  if (superslab->next != nullptr) superslab->next->prev = superslab;
  g.superslabs = superslab;
}

bool wholly_free(const Superslab *superslab) {
  return superslab->free_slabs == superslab->slab_count - superslab->first_slab;
}

void follow_waiting(ptrdiff_t slabs) {
  g.waiting_slabs += slabs;
  const bool backlog = g.waiting_slabs >= kBacklogSlabs;
  if (backlog != g_backlog.load(std::memory_order_relaxed)) {
    g_backlog.store(backlog, std::memory_order_relaxed);
  }
}

void mark_used(Superslab *superslab, size_t index, size_t slabs) {
  superslab->free.clear(index, slabs);
  superslab->fresh.clear(index, slabs);
  superslab->free_slabs = static_cast<uint16_t>(superslab->free_slabs - slabs);
}

// Slabs of a word that wait to go back: free, touched, and not yet the kernel's to take.
uint64_t waiting_word(const Superslab *superslab, size_t w) {
  return superslab->free.word(w) & superslab->touched.word(w) & ~superslab->offered.word(w);
}

// How many slabs of [begin, end) wait.
ptrdiff_t waiting_in(const Superslab *superslab, size_t begin, size_t end) {
  ptrdiff_t slabs = 0;
  for (size_t w = begin / 64; w * 64 < end; ++w) {
    uint64_t waiting = waiting_word(superslab, w);
    if (w == begin / 64) waiting &= ~uint64_t{0} << (begin % 64);
    if (end - w * 64 < 64) waiting &= (uint64_t{1} << (end - w * 64)) - 1;
    slabs += std::popcount(waiting);
  }
  return slabs;
}

// Takes free slabs into use; with them the rest of their huge pages becomes resident. Whether they
// have never been touched.
bool take_slabs(Superslab *superslab, size_t index, size_t slabs) {
  const bool zeroed = !superslab->touched.any(index, slabs);
  size_t begin = index, end = index + slabs;
  if (superslab->huge_pages && end > kHugePageSlabs) {
    begin = begin < kHugePageSlabs ? begin : align_down(begin, kHugePageSlabs);
    end = align_up(end, kHugePageSlabs);
    if (end > superslab->slab_count) end = superslab->slab_count;
  }
  const ptrdiff_t before = waiting_in(superslab, begin, end);
  mark_used(superslab, index, slabs);
  warm_pool::take(superslab, index, slabs);
  superslab->touched.set_unless(superslab->warm, begin, end - begin);
  superslab->offered.clear(begin, end - begin);
  follow_waiting(waiting_in(superslab, begin, end) - before);
  return zeroed;
}

// Gives a wholly free superslab back.
bool unmap_superslab(Superslab *superslab) {
  Slab *run = superslab->slabs + superslab->first_slab;
  const size_t slabs = run->run_slabs;
  const size_t mapped = superslab->bytes();
  g.free_runs.remove(run);
  unlink_superslab(superslab);
  const size_t warm = superslab->warm.count(0, superslab->slab_count);
  if (address_window::unmap(superslab, mapped)) {
    warm_pool::lose(warm);
    --g.superslab_count;
    g.mapped_bytes -= mapped;
    return true;
  }
  link_superslab(superslab);
  g.free_runs.insert(run, slabs);
  return false;
}

// Gives the free slabs at a superslab's end back.
bool cut_superslab(Superslab *superslab) {
  const size_t old_count = superslab->slab_count;
  const size_t slabs = superslab->free.run_length_below(old_count);
  if (slabs == 0) return false;
  const size_t new_count = old_count - slabs;
  Slab *run = superslab->slabs + new_count;
  g.free_runs.remove(run);
  if (!address_window::shrink(superslab, old_count * kSlabBytes, new_count * kSlabBytes)) {
    g.free_runs.insert(run, slabs);
    return false;
  }
  superslab->slab_count = static_cast<uint16_t>(new_count);
  mark_used(superslab, new_count, slabs);
  warm_pool::forget(superslab, new_count, slabs);
  superslab->touched.clear(new_count, slabs);
  superslab->offered.clear(new_count, slabs);
  g.mapped_bytes -= slabs * kSlabBytes;
  return true;
}

bool unmap_free_superslabs() {
  bool any = false;
  Superslab *next = nullptr;
  for (Superslab *superslab = g.superslabs; superslab != nullptr; superslab = next) {
    next = superslab->next;
    if (wholly_free(superslab)) any |= unmap_superslab(superslab);
  }
  return any;
}

// Gives back the pages of bitmaps that no slab needs any more. Bitmaps are cleared before use.
void release_unused_bitmaps(Superslab *superslab, Reason reason) {
  const size_t used = superslab->bitmap_slots.end();
  if (used >= superslab->touched_bitmap_slots) return;
  const uintptr_t begin = align_up(address_of(superslab->bitmap(used)), kOsPageBytes);
  const uintptr_t end =
      align_up(address_of(superslab->bitmap(superslab->touched_bitmap_slots)), kOsPageBytes);
  if (begin < end) release::discard(as_pointer(begin), end - begin, reason);
  superslab->touched_bitmap_slots = static_cast<uint16_t>(used);
}

void release_unused_bitmaps(Reason reason) {
  for (Superslab *s = g.superslabs; s != nullptr; s = s->next) release_unused_bitmaps(s, reason);
}

bool has_resident_slabs(Superslab *superslab) {
  return superslab->touched.any(0, kSlabsPerSuperslab) ||
         superslab->warm.any(0, kSlabsPerSuperslab);
}

// Gives the address space and metadata of superslabs back that have nothing else left, but for one.
void unmap_aged_superslabs() {
  bool one_stays = false;
  Superslab *next = nullptr;
  for (Superslab *superslab = g.superslabs; superslab != nullptr; superslab = next) {
    next = superslab->next;
    if (!wholly_free(superslab) || has_resident_slabs(superslab)) continue;
    if (one_stays) unmap_superslab(superslab);
    one_stays = true;
  }
}

size_t metadata_slabs(size_t slabs) { return div_up(Superslab::metadata_bytes(slabs), kSlabBytes); }

// A superslab with room for a run of `min_slabs`, smaller than usual if memory is short.
void *map_superslab(size_t min_slabs, size_t *slabs) {
  for (*slabs = kSlabsPerSuperslab; *slabs >= kMinSuperslabSlabs; *slabs /= 2) {
    if (*slabs < metadata_slabs(*slabs) + min_slabs) return nullptr;
    void *p = address_window::map(*slabs * kSlabBytes, kUnitBytes);
    if (p != nullptr) return p;
  }
  return nullptr;
}

bool add_superslab(size_t min_slabs) {
  size_t slabs = 0;
  void *p = map_superslab(min_slabs, &slabs);
  if (p == nullptr) return false;
  const size_t first = metadata_slabs(slabs);
  const size_t threshold = static_cast<size_t>(knob(g_config.huge_page_threshold_mb)) * kMiB;
  const size_t bytes = slabs * kSlabBytes;
  const bool huge_pages = g.mapped_bytes >= threshold && bytes > kHugePageBytes;
  // The metadata in front is touched lazily, by small pages.
  os::g_kernel->refuse_huge_pages(p, huge_pages ? kHugePageBytes : bytes);
  if (huge_pages) {
    os::g_kernel->want_huge_pages(as_pointer(address_of(p) + kHugePageBytes),
                                  bytes - kHugePageBytes);
  }
  auto *superslab = static_cast<Superslab *>(p);  // all zero: the kernel's pages
  superslab->slab_count = superslab->made_slabs = static_cast<uint16_t>(slabs);
  superslab->first_slab = static_cast<uint16_t>(first);
  superslab->free_slabs = static_cast<uint16_t>(slabs - first);
  superslab->huge_pages = huge_pages;
  superslab->free.set(first, slabs - first);
  link_superslab(superslab);
  g.free_runs.insert(superslab->slabs + first, slabs - first);
  address_window::publish(superslab, slabs * kSlabBytes, address_window::Use::kSuperslab,
                          superslab);
  ++g.superslab_count;
  g.mapped_bytes += slabs * kSlabBytes;
  return true;
}

// --- runs
// -----------------------------------------------------------------------------------------

// Puts [index, index + slabs) back, merged with its free neighbours.
void mark_free(Superslab *superslab, size_t index, size_t slabs) {
  superslab->free.set(index, slabs);
  superslab->fresh.set(index, slabs);
  superslab->free_slabs = static_cast<uint16_t>(superslab->free_slabs + slabs);
  follow_waiting(static_cast<ptrdiff_t>(slabs));

  size_t begin = index, end = index + slabs;
  const size_t below = superslab->free.run_length_below(index);
  if (below > 0) {
    begin -= below;
    g.free_runs.remove(superslab->slabs + begin);
  }
  if (end < superslab->slab_count && superslab->free.test(end)) {
    Slab *behind = superslab->slabs + end;
    g.free_runs.remove(behind);
    end += behind->run_slabs;
  }
  g.free_runs.insert(superslab->slabs + begin, end - begin);
}

// The heap grows by a run of untouched slabs: the pool is filled from what lies behind it.
void warm_up_behind(Superslab *superslab, size_t index, size_t slabs) {
  if (warm_pool::wanted_slabs() == 0) return;
  size_t used_slabs = 0;
  for (const Superslab *s = g.superslabs; s != nullptr; s = s->next) {
    used_slabs += static_cast<size_t>(s->slab_count - s->first_slab - s->free_slabs);
  }
  warm_pool::fill(superslab, index + slabs, used_slabs - slabs);
}

Run allocate(size_t slabs, size_t align_slabs, SlabKind kind) {
  Slab *slab = nullptr;
  Slab *run = g.free_runs.find(slabs, align_slabs, &slab);
  if (run == nullptr) {
    if (!add_superslab(slabs + align_slabs - 1)) return {nullptr, false};
    run = g.free_runs.find(slabs, align_slabs, &slab);
    if (run == nullptr) return {nullptr, false};
  }
  if constexpr (kHardened) {
    if (!os::guard::reclaim(slab_address(slab), slabs * kSlabBytes)) return {nullptr, false};
  }
  Superslab *superslab = superslab_of(run);
  g.free_runs.remove(run);
  const size_t before = static_cast<size_t>(slab - run);
  const size_t behind = run->run_slabs - before - slabs;
  if (before > 0) g.free_runs.insert(run, before);
  if (behind > 0) g.free_runs.insert(slab + slabs, behind);

  const size_t index = index_of(superslab, slab);
  const bool zeroed = take_slabs(superslab, index, slabs);
  if (zeroed && kind == SlabKind::kSmall) warm_pool::grow_small(slabs);
  if (zeroed && warm_pool::is_empty()) warm_up_behind(superslab, index, slabs);
  superslab->head.set(index, 1);
  slab->owner = nullptr;
  slab->next = slab->prev = nullptr;
  slab->run_slabs = static_cast<uint16_t>(slabs);
  slab->bitmap_slot = kNoBitmapSlot;
  slab->kind = kind;
  return {slab, zeroed};
}

uint16_t take_bitmap_slot(Superslab *superslab) {
  for (size_t w = 0; w < kSlabMaskWords; ++w) {
    const uint64_t unused = ~superslab->bitmap_slots.word(w);
    if (unused == 0) continue;
    const size_t slot = w * 64 + static_cast<size_t>(std::countr_zero(unused));
    superslab->bitmap_slots.set(slot, 1);
    if (slot >= superslab->touched_bitmap_slots) {
      superslab->touched_bitmap_slots = static_cast<uint16_t>(slot + 1);
    }

    return static_cast<uint16_t>(slot);
  }
  report_broken_invariant("there are as many bitmap slots as slabs", __FILE__, __LINE__);
  return kNoBitmapSlot;
}

// Gives the pages of free slabs back as the policy says. False: they are kept.
bool discard_slabs(Superslab *superslab, size_t index, size_t slabs, Reason reason) {
  switch (release::discard(as_pointer(superslab->address() + index * kSlabBytes),
                           slabs * kSlabBytes, reason)) {
    case release::Outcome::kKept:
      return false;
    case release::Outcome::kZeroed:
      superslab->touched.clear(index, slabs);
      superslab->offered.clear(index, slabs);
      break;
    case release::Outcome::kUndefined:
      superslab->offered.set(index, slabs);
      break;
  }
  warm_pool::forget(superslab, index, slabs);
  return true;
}

void free_locked(Slab *slab) {
  Superslab *superslab = superslab_of(slab);
  const size_t index = index_of(superslab, slab);
  if (slab->bitmap_slot != kNoBitmapSlot) superslab->bitmap_slots.clear(slab->bitmap_slot, 1);
  superslab->head.clear(index, 1);
  mark_free(superslab, index, slab->run_slabs);
  if (wholly_free(superslab) && release::wanted(Reason::kEmptied)) {
    const size_t first = superslab->first_slab;
    const ptrdiff_t before = waiting_in(superslab, first, superslab->slab_count);
    discard_slabs(superslab, first, superslab->slab_count - first, Reason::kEmptied);
    follow_waiting(waiting_in(superslab, first, superslab->slab_count) - before);
  }
}

void merge_recent() {
  while (Slab *run = g.recent.take_any()) free_locked(run);
}

// --- giving back
// ----------------------------------------------------------------------------------

void prefer_small_pages_locked(Superslab *superslab) {
  if (!superslab->huge_pages) return;
  superslab->huge_pages = false;
  os::g_kernel->refuse_huge_pages(superslab, superslab->bytes());
}

// Of a word: the free slabs that are to go back for the reason; on demand all that are resident.
uint64_t discardable_word(const Superslab *superslab, size_t w, Reason reason) {
  if (reason != Reason::kDemand) return waiting_word(superslab, w) & ~superslab->fresh.word(w);
  return superslab->free.word(w) & (superslab->touched.word(w) | superslab->warm.word(w));
}

// Gives back free slabs of one superslab, up to `budget` bytes. Returns the bytes.
size_t discard_free_slabs(Superslab *superslab, size_t budget, Reason reason) {
  size_t bytes = 0;
  for (size_t w = 0; w < kSlabMaskWords && bytes < budget; ++w) {
    uint64_t old = discardable_word(superslab, w, reason);
    while (old != 0) {
      const auto bit = static_cast<size_t>(std::countr_zero(old));
      const auto length = static_cast<size_t>(std::countr_one(old >> bit));
      const size_t index = w * 64 + bit;
      old &= length == 64 ? 0 : ~(((uint64_t{1} << length) - 1) << bit);
      if (discard_slabs(superslab, index, length, reason)) bytes += length * kSlabBytes;
    }
  }
  if (bytes > 0 && superslab->free_slabs > superslab->slab_count / 2) {
    prefer_small_pages_locked(superslab);
  }
  return bytes;
}

size_t waiting_bytes() {
  ptrdiff_t slabs = 0;
  for (const Superslab *s = g.superslabs; s != nullptr; s = s->next) {
    slabs += waiting_in(s, 0, s->slab_count);
  }
  return static_cast<size_t>(slabs) * kSlabBytes;
}

// Gives back slabs of age, as many as one tick may. Whether some are left.
bool release_aged() {
  const size_t an_eighth = waiting_bytes() / 8;
  size_t budget = an_eighth > kMinReleaseBytesPerTick ? an_eighth : kMinReleaseBytesPerTick;
  for (Superslab *s = g.superslabs; s != nullptr; s = s->next) {
    const size_t bytes = discard_free_slabs(s, budget, Reason::kAged);
    if (bytes >= budget) return true;
    budget -= bytes;
  }
  return false;
}

void age_fresh_slabs() {
  for (Superslab *s = g.superslabs; s != nullptr; s = s->next) {
    for (size_t w = 0; w < kSlabMaskWords; ++w) s->fresh.set_word(w, 0);
  }
}

}  // namespace

Run allocate_small(size_t slabs, size_t blocks) {
  const os::LockGuard guard(g.lock);
  merge_recent();
  const Run run = allocate(slabs, 1, SlabKind::kSmall);
  if (run.slab == nullptr) return run;
  if (blocks > kInlineBits) run.slab->bitmap_slot = take_bitmap_slot(superslab_of(run.slab));
  memset(free_bits(run.slab), 0, div_up(blocks, 64) * sizeof(uint64_t));
  return run;
}

Run allocate_large(size_t slabs, size_t align_slabs) {
  ASSERT(slabs > 0 && slabs <= kMaxRunSlabs && is_pow2(align_slabs));
  const os::LockGuard guard(g.lock);
  if (align_slabs == 1) {
    if (Slab *run = g.recent.take(slabs)) {
      run->kind = SlabKind::kLarge;
      return {run, false};
    }
  }
  merge_recent();
  return allocate(slabs, align_slabs, SlabKind::kLarge);
}

void free(Slab *slab) {
  const os::LockGuard guard(g.lock);
  free_locked(slab);
}

bool free_large(Slab *slab) {
  const os::LockGuard guard(g.lock);
  Superslab *superslab = superslab_of(slab);
  if (!superslab->head.test(index_of(superslab, slab)) || slab->kind != SlabKind::kLarge) {
    return false;
  }
  if (kHardened || release::wanted(Reason::kEmptied)) {
    free_locked(slab);
    return true;
  }
  slab->kind = SlabKind::kRecent;
  if (!g.recent.put(slab)) {
    merge_recent();
    CHECK(g.recent.put(slab));
  }
  return true;
}

bool resize_large(Slab *slab, size_t new_slabs) {
  ASSERT(new_slabs > 0 && new_slabs <= kMaxRunSlabs);
  const os::LockGuard guard(g.lock);
  Superslab *superslab = superslab_of(slab);
  const size_t index = index_of(superslab, slab);
  if (slab->kind != SlabKind::kLarge) return false;  // the program freed it: its copy will tell
  const size_t old_slabs = slab->run_slabs;
  if (new_slabs < old_slabs) {
    slab->run_slabs = static_cast<uint16_t>(new_slabs);
    mark_free(superslab, index + new_slabs, old_slabs - new_slabs);
  } else if (new_slabs > old_slabs) {
    merge_recent();
    const size_t more = new_slabs - old_slabs;
    const size_t end = index + old_slabs;
    if (end + more > superslab->slab_count || !superslab->free.test(end)) return false;
    Slab *behind = superslab->slabs + end;
    const size_t room = behind->run_slabs;
    if (room < more) return false;
    g.free_runs.remove(behind);
    if (room > more) g.free_runs.insert(behind + more, room - more);
    take_slabs(superslab, end, more);
    slab->run_slabs = static_cast<uint16_t>(new_slabs);
  }
  return true;
}

uint32_t tick() {
  const uint64_t now = os::g_kernel->now_ms();
  if (now >= g_next_tick_ms.load(std::memory_order_relaxed) && g.lock.try_lock()) {
    const bool age_begins = now >= g.next_age_ms;
    bool more = release_aged();
    if (huge_blocks::release_aged(age_begins)) more = true;
    if (age_begins) {
      merge_recent();
      age_fresh_slabs();
      unmap_aged_superslabs();
      release_unused_bitmaps(Reason::kAged);
      // A slab goes back when it was free for one to two ages.
      g.next_age_ms = now + static_cast<uint64_t>(knob(g_config.purge_delay_ms)) / 2;
      g_ages.fetch_add(1, std::memory_order_relaxed);
    }
    const uint64_t soon = now + kBacklogTickMs;
    g.waiting_slabs = static_cast<ptrdiff_t>(waiting_bytes() / kSlabBytes);
    follow_waiting(0);

    g_next_tick_ms.store(more && soon < g.next_age_ms ? soon : g.next_age_ms,
                         std::memory_order_relaxed);
    g.lock.unlock();
  }
  return g_ages.load(std::memory_order_relaxed);
}

bool backlog() { return g_backlog.load(std::memory_order_relaxed) || huge_blocks::keeps_any(); }

void prefer_small_pages(Superslab *superslab) {
  const os::LockGuard guard(g.lock);
  prefer_small_pages_locked(superslab);
}

void purge_all() {
  const os::LockGuard guard(g.lock);
  merge_recent();
  for (Superslab *s = g.superslabs; s != nullptr; s = s->next) {
    discard_free_slabs(s, SIZE_MAX, Reason::kDemand);
    for (size_t w = 0; w < kSlabMaskWords; ++w) s->fresh.set_word(w, 0);
  }
  unmap_free_superslabs();
  release_unused_bitmaps(Reason::kDemand);
}

bool give_up_address_space() {
  bool any = huge_blocks::release_kept() > 0;
  const os::LockGuard guard(g.lock);
  merge_recent();
  any |= unmap_free_superslabs();
  for (Superslab *s = g.superslabs; s != nullptr; s = s->next) any |= cut_superslab(s);
  return any;
}

Totals totals() {
  const os::LockGuard guard(g.lock);
  merge_recent();
  Totals t{};
  t.superslabs = g.superslab_count;
  t.mapped_bytes = g.mapped_bytes;
  for (const Superslab *s = g.superslabs; s != nullptr; s = s->next) {
    t.free_bytes += s->free_slabs * kSlabBytes;
    t.metadata_bytes += s->first_slab * kSlabBytes;
    for (size_t w = 0; w < kSlabMaskWords; ++w) {
      const uint64_t touched = s->free.word(w) & s->touched.word(w);
      t.free_touched_bytes += static_cast<size_t>(std::popcount(touched)) * kSlabBytes;
      t.offered_bytes +=
          static_cast<size_t>(std::popcount(touched & s->offered.word(w))) * kSlabBytes;
    }
  }
  t.warm = warm_pool::totals();
  return t;
}

const Superslab *first_superslab() { return g.superslabs; }

void lock_for_fork() {
  g.lock.lock();
  merge_recent();  // an onlooker sees only runs that are free or in use
}
void unlock_after_fork() { g.lock.unlock(); }
void reset_after_fork() { g.lock.reset_after_fork(); }

}  // namespace hakmem::page_heap
