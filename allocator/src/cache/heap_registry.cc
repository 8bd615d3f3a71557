#include "cache/heap_registry.h"

#include <pthread.h>

#include <new>

#include "base/check.h"
#include "os/os.h"
#include "superslab/address_window.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

// A heap's mapping: the depot's magazines, the inbox's blocks, the Heap, the owner map.
static_assert(Depot::kStorageBytes % kOsPageBytes == 0);
constexpr size_t kHeapOffset = Depot::kStorageBytes + Inbox::kStorageBytes;
constexpr size_t kBytesWithoutMap = align_up(kHeapOffset + sizeof(Heap) + 1, kOsPageBytes);
constexpr size_t kBytesWithMap =
    align_up(kHeapOffset + sizeof(Heap) + kOwnerMapBytes, kOsPageBytes);

void **magazines(Heap *heap) {
  return static_cast<void **>(as_pointer(address_of(heap) - kHeapOffset));
}
void **inbox_storage(Heap *heap) {
  return static_cast<void **>(as_pointer(address_of(heap) - Inbox::kStorageBytes));
}

}  // namespace

namespace heap_registry {
namespace {

// A thread may allocate in the destructors that run after ours, so it adopts again; the C library
// runs destructors in four rounds, and who allocates in the last gets no heap, which nobody would
// take back.
constexpr uint8_t kLastExit = 3;
// After the last round the C library frees what it kept for the thread, as it does in threads that
// never allocated: so a thread that only frees gets no heap for its first few.
constexpr uint8_t kFreesWithoutHeap = 16;

// What a heap without a thread caches goes to its slabs after a whole age, for whoever comes next may
// not need it; and their free pages go back in some ages more. One slow call pays for so many heaps
// and, about, so many blocks, and an age for so many pages; one that had too many does not count.
constexpr uint8_t kUnusedAgesToDrain = 2;
constexpr uint8_t kQuietRounds = 16;
constexpr size_t kDrainsPerCall = 64;
constexpr size_t kDrainedBlocksPerCall = 384 * 1024;
// Once others have freed more than such a share of its blocks, what is free in a heap has its turn
// again.
constexpr size_t kComeHomeShare = 64;

// Threads without a heap look at ageing once in so many calls.
constexpr uint32_t kCallsPerTick = 64;

constinit os::Lock g_lock;
constinit Heap *g_heaps = nullptr;
constinit Heap *g_unused = nullptr;         // those with an owner map first
constinit Heap *g_last_with_map = nullptr;  // of them
constinit size_t g_maps = 0;                // heaps that have an owner map
constinit SlabPool g_common_pool;
constinit uint32_t g_unused_ages = 0;  // when unused heaps last aged
constinit bool g_hooks_installed = false;
constinit pthread_key_t g_exit_key = 0;
// The observe build's count of frees by threads that had no heap.
[[maybe_unused]] constinit std::atomic<uint64_t> g_frees_without_heap[kObserve ? kClassCount : 1] =
    {};
constinit __thread uint8_t t_exits __attribute__((tls_model("initial-exec"))) = 0;
constinit __thread uint8_t t_frees_without_heap __attribute__((tls_model("initial-exec"))) = 0;

// Makes what every heap needs writable: not the depot's later magazines, nor the owner map.
bool open(void *p) {
  void *behind_storage = as_pointer(address_of(p) + Depot::kStorageBytes);
  return os::g_kernel->set_access(p, Depot::kChunkBytes, true) &&
         os::g_kernel->set_access(behind_storage, kBytesWithoutMap - Depot::kStorageBytes, true);
}

// A heap with a map costs six of the process's mappings, for parts of it are opened. The kernel
// allows 65530 by default, and beyond that no thread starts; so there is room for 20000 threads.
constexpr size_t kMostMaps = 1024;

// Under RLIMIT_AS the maps may take a quarter of it, so that blocks and stacks find room; the first
// heap, which may be the only one, has its map wherever it fits.
bool map_has_room() {
  if (g_maps == 0) return true;
  return g_maps < kMostMaps && g_maps < os::address_space_limit() / 4 / kBytesWithMap;
}

Heap *create() {
  bool taken = false;
  bool with_map = true;
  void *p = map_has_room() ? os::g_kernel->map_unwritable(kBytesWithMap) : nullptr;
  if (p != nullptr && !open(p)) {
    os::g_kernel->unmap(p, kBytesWithMap);
    p = nullptr;
  }
  if (p == nullptr) {
    with_map = false;
    p = os::g_kernel->map(nullptr, kBytesWithoutMap, &taken);
    if (p == nullptr) return nullptr;
  }
  os::g_kernel->refuse_huge_pages(p, with_map ? kBytesWithMap : kBytesWithoutMap);
  Heap *heap = new (as_pointer(address_of(p) + kHeapOffset)) Heap;
  heap->top[0] = empty_heap()->top[0];
  reset_magazines(heap, magazines(heap));
  if (with_map) {
    ++g_maps;
    heap->map_mask = heap->whole_mask = kOwnerMapBytes - 1;
    heap->pool.set_owner_map(OwnerMap(heap->owner_map(), heap->whole_mask, &heap->writable_chunks));
    heap->inbox.set_storage(inbox_storage(heap));
    heap->pool.set_inbox(&heap->inbox);
  }
  heap->next = g_heaps;
  g_heaps = heap;
  return heap;
}

// No thread has the heap any more. The next takes one without a map, whose frees are all slow, only
// if there is no other.
void put_unused(Heap *heap) {
  heap->in_use = false;
  heap->unused = {};
  if (heap->whole_mask == 0 && g_last_with_map != nullptr) {
    heap->next_unused = g_last_with_map->next_unused;
    g_last_with_map->next_unused = heap;
    return;
  }
  if (heap->whole_mask != 0 && g_last_with_map == nullptr) g_last_with_map = heap;
  heap->next_unused = g_unused;
  g_unused = heap;
}

// NULL: there is none.
Heap *take_unused() {
  Heap *heap = g_unused;
  if (heap == nullptr) return nullptr;
  if (heap == g_last_with_map) g_last_with_map = nullptr;
  g_unused = heap->next_unused;
  return heap;
}

void on_thread_exit(void *) {
  Heap *heap = t_heap;
  if (heap == empty_heap()) return;
  ++t_exits;
  flush_remote(heap);
  heap->watch.reveal(heap->top);
  give_back_recent(heap);
  heap->inbox.set_open(false);
  empty_inbox(heap);
  t_heap = const_cast<Heap *>(empty_heap());
  const os::LockGuard guard(g_lock);
  put_unused(heap);
}

}  // namespace

// Lock order: registry, inboxes, pools, page heap, huge blocks, address window.
void freeze() {
  g_lock.lock();
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
    heap->inbox.lock().lock();
    heap->pool.lock().lock();
  }
  g_common_pool.lock().lock();
  page_heap::lock_for_fork();
  huge_blocks::lock_for_fork();
  address_window::lock_for_fork();
}

void thaw() {
  address_window::unlock_after_fork();
  huge_blocks::unlock_after_fork();
  page_heap::unlock_after_fork();
  g_common_pool.lock().unlock();
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
    heap->pool.lock().unlock();
    heap->inbox.lock().unlock();
  }
  g_lock.unlock();
}

namespace {

// The other threads are gone. Their slabs are consistent (their pools were locked), but they may
// have been in the middle of a push or pop, and the kernel copies pages one by one: what their
// magazines say cannot be believed, so those few blocks are lost to the child, and the heaps are
// used again.
void after_fork_in_child() {
  address_window::reset_after_fork();
  huge_blocks::reset_after_fork();
  page_heap::reset_after_fork();
  g_common_pool.lock().reset_after_fork();
  g_lock.reset_after_fork();
  give_back_recent(t_heap);
  page_heap::free_cached_after_fork();
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
    heap->inbox.lock().reset_after_fork();
    heap->pool.lock().reset_after_fork();
    if (!heap->in_use || heap == t_heap) continue;
    reset_magazines(heap, magazines(heap));
    heap->recent.forget();
    for (size_t bin = 1; bin < kBinCount; ++bin) *heap->top[bin] = nullptr;
    heap->inbox.set_open(false);
    empty_inbox(heap);
    put_unused(heap);
  }
}

}  // namespace

void install_fork_hooks() {
  static constinit std::atomic<bool> installed{false};
  if (installed.load(std::memory_order_relaxed) || installed.exchange(true)) return;
  CHECK(pthread_atfork(freeze, thaw, after_fork_in_child) == 0);
}

Heap *adopt() {
  if (t_exits >= kLastExit) return nullptr;
  load_config_from_environment();
  if (kHardened || knob(g_config.check) != 0) {
    install_fork_hooks();
    return nullptr;
  }
  bool first = false;
  Heap *heap = nullptr;
  {
    const os::LockGuard guard(g_lock);
    if (!g_hooks_installed) {
      // Every key may be taken by the program; then heaps of ended threads are not used again.
      if (pthread_key_create(&g_exit_key, on_thread_exit) != 0) g_exit_key = UINT32_MAX;
      g_hooks_installed = first = true;
    }
    heap = take_unused();
    if (heap == nullptr) heap = create();
    if (heap != nullptr) heap->in_use = true;
  }
  if (heap != nullptr) {
    t_heap = heap;
    heap->inbox.set_open(heap->whole_mask != 0);
    pthread_setspecific(g_exit_key, heap);
  }
  if (first) install_fork_hooks();
  return heap;
}

Heap *adopt_to_free() {
  if (t_exits > 0) return nullptr;
  if (t_frees_without_heap == kFreesWithoutHeap) return adopt();
  ++t_frees_without_heap;
  return nullptr;
}

SlabPool &common_pool() { return g_common_pool; }

void forget_remote(const Slab *run) {
  Superslab *superslab = superslab_of(run);
  if (!superslab->remote.take(index_of(superslab, run))) return;
  const os::LockGuard guard(g_lock);
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
    OwnerMap(heap->owner_map(), heap->whole_mask, &heap->writable_chunks)
        .clear_if(slab_address(run), static_cast<uint8_t>(kRemoteBin));
  }
}

void drain_unused() {
  const os::LockGuard guard(g_lock);
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) empty_inbox(heap);
  for (Heap *heap = g_unused; heap != nullptr; heap = heap->next_unused) drain(heap);
}

namespace {

void spend(size_t *calls, size_t made) { *calls -= made < *calls ? made : *calls; }

// Whether much has come back to a heap's slabs since what is free there last had its turn: threads
// free blocks long after the one that allocated them has ended, or while it waits for work.
bool much_came_home(Heap *heap) {
  UnusedState &state = heap->unused;
  const size_t now = heap->pool.free_bytes();
  if (now < state.free_bytes) state.free_bytes = now;
  return now - state.free_bytes > heap->pool.carved_bytes() / kComeHomeShare;
}

void release_quiet(Heap *heap, size_t *calls) {
  UnusedState &state = heap->unused;
  if (*calls == 0) return;
  if (much_came_home(heap)) {
    spend(calls, heap->pool.release_empty_slabs());
    state.free_bytes = heap->pool.free_bytes();
    state.quiet_rounds = 0;
  }
  if (state.quiet_rounds == kQuietRounds) return;
  const size_t made = heap->pool.release_quiet_pages(release::Reason::kAged, 1, *calls);
  if (made < *calls) ++state.quiet_rounds;
  spend(calls, made);
}

// Of a heap that was drained. What is looked at in an empty magazine is the NULL below its first
// slot, and that is what a page reads as that went back.
void give_magazines_back(Heap *heap) {
  release::discard(magazines(heap), Depot::kStorageBytes, release::Reason::kAged);
}

// Whether it is for others to look at what lies in a thread's slabs: as much has come home as makes
// a burst, and maybe nobody else knows of one; or they have begun to.
bool is_waited_for(const Heap *heap) {
  const UnusedState &state = heap->unused;
  if (state.free_bytes > 0 && state.quiet_rounds < kQuietRounds) return true;
  const size_t now = heap->pool.free_bytes();
  const size_t more = now > state.free_bytes ? now - state.free_bytes : 0;
  return is_burst(more, heap->pool);
}

// Of a thread that waits for work: what lies in its slabs and its inbox. Its magazines are its own.
void age_idle(Heap *heap, size_t *calls) {
  UnusedState &state = heap->unused;
  const uint32_t seen = heap->ages_seen.load(std::memory_order_relaxed);
  if (seen != state.ages_seen) {
    state = {};
    state.ages_seen = seen;
  } else if (state.ages < kUnusedAgesToDrain) {
    ++state.ages;
  } else if (!state.drained) {
    if (*calls == 0) return;
    empty_inbox(heap);
    spend(calls, heap->pool.release_empty_slabs());
    state.drained = true;
  } else {
    release_quiet(heap, calls);
  }
}

}  // namespace

bool age_unused(uint32_t ages, bool burst) {
  if (!g_lock.try_lock()) return false;
  // Threads may come late with the ages that they have seen.
  const bool begins = static_cast<int32_t>(ages - g_unused_ages) > 0;
  if (begins) g_unused_ages = ages;
  size_t drains = 0, drained_blocks = 0, calls = kReleaseCallsPerAge;
  for (Heap *heap = g_unused; heap != nullptr; heap = heap->next_unused) {
    UnusedState &state = heap->unused;
    if (begins && state.ages < kUnusedAgesToDrain) ++state.ages;
    if (state.ages < kUnusedAgesToDrain) continue;
    if (!state.drained) {
      if (drains == kDrainsPerCall || drained_blocks >= kDrainedBlocksPerCall) continue;
      ++drains;
      drained_blocks += drain(heap);
      give_magazines_back(heap);
      state.drained = true;
    } else if (begins) {
      release_quiet(heap, &calls);
    }
  }
  for (Heap *heap = g_heaps; heap != nullptr && begins; heap = heap->next) {
    if (heap->in_use && heap != t_heap && (burst || is_waited_for(heap))) age_idle(heap, &calls);
  }
  g_lock.unlock();
  return calls == 0;
}

void age_without_heap() {
  // relaxed: it is of no matter which thread counts what.
  static constinit std::atomic<uint32_t> calls{0}, ages_seen{0}, calm_ages{UINT32_MAX / 2};
  static constinit std::atomic<size_t> least_free_bytes{0};
  static constinit std::atomic<bool> pages_left{false};
  if (calls.fetch_add(1, std::memory_order_relaxed) % kCallsPerTick != 0) return;
  const uint32_t ages = page_heap::tick();
  if (page_heap::backlog() || much_came_back(g_common_pool, &least_free_bytes)) {
    calm_ages.store(0, std::memory_order_relaxed);
  }
  if (ages_seen.exchange(ages, std::memory_order_relaxed) == ages) return;
  g_common_pool.release_empty_slabs();
  age_unused(ages, false);
  const uint32_t calm = calm_ages.fetch_add(1, std::memory_order_relaxed);
  if (calm >= burst_ages(pages_left.load(std::memory_order_relaxed))) return;
  const size_t made =
      g_common_pool.release_quiet_pages(release::Reason::kAged, kQuietAges, kReleaseCallsPerAge);
  pages_left.store(made >= kReleaseCallsPerAge, std::memory_order_relaxed);
}

void release_free_pages() {
  constexpr auto kNow = release::Reason::kDemand;
  const os::LockGuard guard(g_lock);
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
    heap->pool.release_quiet_pages(kNow, 0, SIZE_MAX);
  }
  g_common_pool.release_quiet_pages(kNow, 0, SIZE_MAX);
}

Totals totals() {
  Totals t{};
  const os::LockGuard guard(g_lock);
  for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
    const auto read = [](const std::atomic<uint64_t> &counter) {
      return counter.load(std::memory_order_relaxed);
    };
    ++t.heaps;
    t.heaps_in_use += heap->in_use;
    t.recent_bytes += heap->recent.bytes();
    t.refills += read(heap->counters.refills);
    t.depot_refills += read(heap->counters.depot_refills);
    t.flushes += read(heap->counters.flushes);
    t.depot_flushes += read(heap->counters.depot_flushes);
    t.remote_flushes += read(heap->counters.remote_flushes);
    t.remote_blocks += read(heap->counters.remote_blocks);
    t.mail_blocks += read(heap->counters.mail_blocks);
  }
  return t;
}

ClassTotals class_totals(SizeClass c) {
  ClassTotals t{};
  if constexpr (kObserve) {
    const os::LockGuard guard(g_lock);
    for (Heap *heap = g_heaps; heap != nullptr; heap = heap->next) {
      const ClassCounters &counters = heap->class_counters[c];
      t.hits += counters.hits.load(std::memory_order_relaxed);
      t.refills += counters.refills.load(std::memory_order_relaxed);
      t.frees += counters.frees.load(std::memory_order_relaxed);
      t.remote_frees += counters.remote_frees.load(std::memory_order_relaxed);
      t.flushes += counters.flushes.load(std::memory_order_relaxed);
    }
    t.remote_frees += g_frees_without_heap[c].load(std::memory_order_relaxed);
  }
  return t;
}

void count_free_without_heap(SizeClass c) {
  if constexpr (kObserve) g_frees_without_heap[c].fetch_add(1, std::memory_order_relaxed);
}

const Heap *first_heap() { return g_heaps; }

HeapExtent extent_of(const Heap *heap) {
  const uintptr_t begin = address_of(heap) - kHeapOffset;
  const uintptr_t owner_map = address_of(heap + 1);
  if (heap->whole_mask == 0) return {begin, begin + kBytesWithoutMap, begin + kBytesWithoutMap};
  return {begin, owner_map, begin + kBytesWithMap};
}

}  // namespace heap_registry
}  // namespace hakmem
