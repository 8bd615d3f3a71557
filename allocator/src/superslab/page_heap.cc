#include "superslab/page_heap.h"

#include <atomic>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "config/config.h"
#include "os/guard.h"
#include "os/lock.h"
#include "os/os.h"
#include "superslab/bitmap_slots.h"
#include "superslab/free_runs.h"
#include "superslab/huge_blocks.h"
#include "superslab/recent_runs.h"
#include "superslab/release_clock.h"
#include "superslab/release_policy.h"
#include "superslab/slab_states.h"
#include "superslab/superslabs.h"
#include "superslab/warm_pool.h"

namespace hakmem::page_heap {
namespace {

using release::Reason;

// At most this much, or an eighth of what waits if that is more, goes back in one tick.
constexpr size_t kMinReleaseBytesPerTick = 32 * kMiB;
// While more waits, the next tick comes so soon.
constexpr uint64_t kBacklogTickMs = 30;
constexpr ptrdiff_t kBacklogSlabs = 2 * kMiB / kSlabBytes;

struct State {
  os::Lock lock;
  FreeRuns free_runs;
  RecentRuns<8, kMaxRunSlabs> recent;
  Superslabs superslabs;
  uint64_t age_began_ms;
  // Free and touched, about: counted exactly at each tick and purge, and followed from there.
  ptrdiff_t waiting_slabs;
};
constinit State g{};
// Read without the lock by callers of tick(); relaxed: only a hint that time has passed.
constinit std::atomic<uint32_t> g_ages{0};
constinit std::atomic<uint64_t> g_next_tick_ms{0};
constinit std::atomic<bool> g_backlog{false};

// A slab goes back when it was free for one to two ages.
uint64_t age_ms() { return static_cast<uint64_t>(knob(g_config.purge_delay_ms)) / 2; }

void follow_waiting(ptrdiff_t slabs) {
  g.waiting_slabs += slabs;
  const bool backlog = g.waiting_slabs >= kBacklogSlabs;
  if (backlog != g_backlog.load(std::memory_order_relaxed)) {
    g_backlog.store(backlog, std::memory_order_relaxed);
  }
}

// Takes free slabs into use; with them the rest of their huge pages becomes resident. Whether they
// have never been touched.
bool take_slabs(Superslab *superslab, size_t index, size_t slabs) {
  const bool zeroed = !superslab->touched.any(index, slabs);
  size_t begin = index, end = index + slabs;
  if (superslab->huge_pages && end > kHugePageSlabs) {
    begin = begin < kHugePageSlabs ? begin : align_down(begin, kHugePageSlabs);
    end = align_up(end, kHugePageSlabs);
    if (end > superslab->slab_count()) end = superslab->slab_count();
  }
  const ptrdiff_t before = slab_states::count_waiting(superslab, begin, end);
  slab_states::set_used(superslab, index, slabs);
  warm_pool::take(superslab, index, slabs);
  superslab->touched.set_unless(superslab->warm, begin, end - begin);
  superslab->offered.clear(begin, end - begin);
  follow_waiting(slab_states::count_waiting(superslab, begin, end) - before);
  return zeroed;
}

// Puts [index, index + slabs) back, merged with its free neighbours.
void mark_free(Superslab *superslab, size_t index, size_t slabs) {
  slab_states::set_free(superslab, index, slabs);
  follow_waiting(static_cast<ptrdiff_t>(slabs));

  size_t begin = index, end = index + slabs;
  const size_t below = superslab->free.run_length_below(index);
  if (below > 0) {
    begin -= below;
    g.free_runs.remove(superslab->slabs + begin);
  }
  if (end < superslab->slab_count() && superslab->free.test(end)) {
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
  for (const Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) {
    used_slabs += static_cast<size_t>(s->slab_count() - s->first_slab - s->free_slabs);
  }
  warm_pool::fill(superslab, index + slabs, used_slabs - slabs);
}

Run allocate(size_t slabs, size_t align_slabs, SlabKind kind) {
  Slab *slab = nullptr;
  Slab *run = g.free_runs.find(slabs, align_slabs, &slab);
  if (run == nullptr) {
    if (!g.superslabs.add(&g.free_runs, slabs + align_slabs - 1)) return {nullptr, false};
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
  slab->set_kind(kind);
  return {slab, zeroed};
}

// Gives the pages of free slabs back as the policy says. False: they are kept.
bool discard_slabs(Superslab *superslab, size_t index, size_t slabs, Reason reason) {
  switch (release::discard(as_pointer(superslab->address() + index * kSlabBytes),
                           slabs * kSlabBytes, reason)) {
    case release::Outcome::kKept:
      // Memory that is locked, or a filter: it would refuse at each age, and a burst never end.
      if (reason == Reason::kAged) superslab->offered.set(index, slabs);
      return false;
    case release::Outcome::kZeroed:
      slab_states::set_untouched(superslab, index, slabs);
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
  if (slab->bitmap_slot != kNoBitmapSlot) bitmap_slots::put(superslab, slab->bitmap_slot);
  superslab->head.clear(index, 1);
  mark_free(superslab, index, slab->run_slabs);
  if (slab_states::wholly_free(superslab) && release::wanted(Reason::kEmptied)) {
    const size_t first = superslab->first_slab;
    const ptrdiff_t before = slab_states::count_waiting(superslab, first, superslab->slab_count());
    discard_slabs(superslab, first, superslab->slab_count() - first, Reason::kEmptied);
    follow_waiting(slab_states::count_waiting(superslab, first, superslab->slab_count()) - before);
  }
}

void merge_recent() {
  while (Slab *run = g.recent.take_oldest()) free_locked(run);
}

void prefer_small_pages_locked(Superslab *superslab) {
  if (!superslab->huge_pages) return;
  superslab->huge_pages = false;
  os::g_kernel->refuse_huge_pages(superslab, superslab->bytes());
}

// Of a word: the free slabs that are to go back for the reason; on demand all that are resident.
uint64_t discardable_word(const Superslab *superslab, size_t w, Reason reason) {
  if (reason != Reason::kDemand)
    return slab_states::waiting_word(superslab, w) & superslab->due.word(w);
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
  // Else khugepaged makes huge pages again of what is in use and of these, for nobody to give back.
  if (bytes > 0) prefer_small_pages_locked(superslab);
  return bytes;
}

void release_unused_bitmaps(Reason reason) {
  for (Superslab *s = g.superslabs.first(); s != nullptr; s = s->next)
    bitmap_slots::release_unused(s, reason);
}

size_t waiting_bytes() {
  ptrdiff_t slabs = 0;
  for (const Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) {
    slabs += slab_states::count_waiting(s, 0, s->slab_count());
  }
  return static_cast<size_t>(slabs) * kSlabBytes;
}

void count_waiting_anew() {
  g.waiting_slabs = static_cast<ptrdiff_t>(waiting_bytes() / kSlabBytes);
  follow_waiting(0);
}

// Gives back slabs of age, as many as one tick may. Whether some are left.
bool release_aged() {
  const size_t an_eighth = waiting_bytes() / 8;
  size_t budget = an_eighth > kMinReleaseBytesPerTick ? an_eighth : kMinReleaseBytesPerTick;
  for (Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) {
    const size_t bytes = discard_free_slabs(s, budget, Reason::kAged);
    if (bytes >= budget) return true;
    budget -= bytes;
  }
  return false;
}

// Runs that wait unmerged are as if they were freed now.
void begin_age() {
  merge_recent();
  for (Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) slab_states::begin_age(s);
}

}  // namespace

Run allocate_small(size_t slabs, size_t blocks) {
  const os::LockGuard guard(g.lock);
  merge_recent();
  const Run run = allocate(slabs, 1, SlabKind::kSmall);
  if (run.slab == nullptr) return run;
  if (blocks > kInlineBits) run.slab->bitmap_slot = bitmap_slots::take(superslab_of(run.slab));
  memset(free_bits(run.slab), 0, div_up(blocks, 64) * sizeof(uint64_t));
  return run;
}

Run allocate_large(size_t slabs, size_t align_slabs) {
  ASSERT(slabs > 0 && slabs <= kMaxRunSlabs && is_pow2(align_slabs));
  const os::LockGuard guard(g.lock);
  if (align_slabs == 1) {
    if (Slab *run = g.recent.take(slabs)) return {run, false};
  }
  merge_recent();
  return allocate(slabs, align_slabs, SlabKind::kLarge);
}

void free(Slab *slab) {
  const os::LockGuard guard(g.lock);
  free_locked(slab);
}

bool free_large(Slab *slab, SlabKind kind) {
  const os::LockGuard guard(g.lock);
  Superslab *superslab = superslab_of(slab);
  if (!superslab->head.test(index_of(superslab, slab)) ||
      !slab->change_kind(kind, SlabKind::kRecent)) {
    return false;
  }
  if (kHardened || release::wanted(Reason::kEmptied)) {
    free_locked(slab);
    return true;
  }
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
  if (slab->kind() != SlabKind::kLarge) return false;  // the program freed it: its copy will tell
  const size_t old_slabs = slab->run_slabs;
  if (new_slabs < old_slabs) {
    slab->run_slabs = static_cast<uint16_t>(new_slabs);
    mark_free(superslab, index + new_slabs, old_slabs - new_slabs);
  } else if (new_slabs > old_slabs) {
    merge_recent();
    const size_t more = new_slabs - old_slabs;
    const size_t end = index + old_slabs;
    if (end + more > superslab->slab_count() || !superslab->free.test(end)) return false;
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
  const uint64_t now = release_clock::now_ms();
  if (now >= g_next_tick_ms.load(std::memory_order_relaxed) && g.lock.try_lock()) {
    const bool age_begins = now >= g.age_began_ms + age_ms();
    if (age_begins) {
      begin_age();
      g.age_began_ms = now;
    }
    bool more = release_aged();
    if (huge_blocks::release_aged(age_begins)) more = true;
    if (age_begins) {
      g.superslabs.unmap_aged(&g.free_runs);
      release_unused_bitmaps(Reason::kAged);
      g_ages.fetch_add(1, std::memory_order_relaxed);
    }
    const uint64_t soon = now + kBacklogTickMs;
    const uint64_t next_age_ms = g.age_began_ms + age_ms();
    count_waiting_anew();
    g_next_tick_ms.store(more && soon < next_age_ms ? soon : next_age_ms,
                         std::memory_order_relaxed);
    g.lock.unlock();
  }
  return g_ages.load(std::memory_order_relaxed);
}

void look_at_clock_anew() {
  const os::LockGuard guard(g.lock);  // a tick under way would overwrite it
  g_next_tick_ms.store(0, std::memory_order_relaxed);
}

bool backlog() { return g_backlog.load(std::memory_order_relaxed) || huge_blocks::keeps_any(); }

void prefer_small_pages(Superslab *superslab) {
  const os::LockGuard guard(g.lock);
  prefer_small_pages_locked(superslab);
}

void purge_all() {
  const os::LockGuard guard(g.lock);
  merge_recent();
  for (Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) {
    discard_free_slabs(s, SIZE_MAX, Reason::kDemand);
    slab_states::begin_age(s);
  }
  g.superslabs.unmap_free(&g.free_runs);
  release_unused_bitmaps(Reason::kDemand);
  count_waiting_anew();
}

bool give_up_address_space() {
  bool any = huge_blocks::release_kept() > 0;
  const os::LockGuard guard(g.lock);
  merge_recent();
  any |= g.superslabs.give_back_free(&g.free_runs);
  return any;
}

Totals totals() {
  const os::LockGuard guard(g.lock);
  merge_recent();
  Totals t{};
  t.superslabs = g.superslabs.count();
  t.mapped_bytes = g.superslabs.mapped_bytes();
  for (const Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) {
    t.free_bytes += s->free_slabs * kSlabBytes;
    t.metadata_bytes += s->first_slab * kSlabBytes;
    for (size_t w = 0; w < kSlabMaskWords; ++w) {
      const uint64_t touched = s->free.word(w) & s->touched.word(w);
      t.free_touched_bytes += count_bits(touched) * kSlabBytes;
      t.offered_bytes += count_bits(touched & s->offered.word(w)) * kSlabBytes;
    }
  }
  t.warm = warm_pool::totals();
  return t;
}

const Superslab *first_superslab() { return g.superslabs.first(); }

void lock_for_fork() {
  g.lock.lock();
  merge_recent();  // an onlooker sees only runs that are free, in use, or a heap's
}
void unlock_after_fork() { g.lock.unlock(); }
void reset_after_fork() { g.lock.reset_after_fork(); }

void free_cached_after_fork() {
  for (Superslab *s = g.superslabs.first(); s != nullptr; s = s->next) {
    for (size_t i = s->first_slab; i < s->slab_count(); ++i) {
      if (s->head.test(i) && s->slabs[i].kind() == SlabKind::kCached) free_locked(&s->slabs[i]);
    }
  }
}

}  // namespace hakmem::page_heap
