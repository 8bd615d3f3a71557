#include "superslab/huge_cache.h"

#include <atomic>

#include "base/units.h"
#include "config/config.h"
#include "superslab/huge_block.h"

namespace hakmem::huge_cache {
namespace {

// The age in which a block was put here, and a whole one.
constexpr uint8_t kAgesKept = 2;

struct List {
  HugeBlock *first;  // newest first

  void put(HugeBlock *block) {
    block->prev = nullptr;
    block->next = first;
    if (first != nullptr) first->prev = block;
    first = block;
  }
  void remove(HugeBlock *block) {
    (block->prev != nullptr ? block->prev->next : first) = block->next;
    if (block->next != nullptr) block->next->prev = block->prev;
    block->next = block->prev = nullptr;
  }
  HugeBlock *find_aged() const {
    HugeBlock *block = first;
    while (block != nullptr && block->ages < kAgesKept) block = block->next;
    return block;
  }
};

struct State {
  List kept;
  List spares;  // live blocks
  Totals totals;
  size_t live_bytes;
  size_t peak_bytes, last_peak_bytes;  // the most live, in this age and in the last
};
constinit State g{};
// Relaxed: a hint that it is worth looking.
constinit std::atomic<bool> g_any{false};

void follow() {
  g_any.store(g.kept.first != nullptr || g.spares.first != nullptr, std::memory_order_relaxed);
}

// NULL is taken for "there is none".
HugeBlock *take(HugeBlock *block) {
  if (block == nullptr) return nullptr;
  (block->live() ? g.spares : g.kept).remove(block);
  if (!block->live()) --g.totals.blocks;
  g.totals.bytes -= block->spare_bytes();
  follow();
  return block;
}

size_t allowed_bytes() {
  if constexpr (kHardened) return 0;
  const size_t peak = g.peak_bytes > g.last_peak_bytes ? g.peak_bytes : g.last_peak_bytes;
  const size_t whole = peak * static_cast<size_t>(knob(g_config.huge_cache_percent)) / 100;
  return whole > g.live_bytes ? whole - g.live_bytes : 0;
}

}  // namespace

void follow_live(size_t live_bytes) {
  g.live_bytes = live_bytes;
  if (live_bytes > g.peak_bytes) g.peak_bytes = live_bytes;
}

void put(HugeBlock *block) {
  (block->live() ? g.spares : g.kept).put(block);
  if (!block->live()) ++g.totals.blocks;
  g.totals.bytes += block->spare_bytes();
  follow();
}

void remove_spare(HugeBlock *block) {
  if (block->spare_bytes() > 0) take(block);
}

HugeBlock *take_best(size_t bytes, size_t alignment) {
  HugeBlock *best = nullptr;
  for (HugeBlock *block = g.kept.first; block != nullptr; block = block->next) {
    if (address_of(block->base) % alignment != 0) continue;
    const size_t size = block->mapped_bytes;
    if (size == bytes) return take(block);
    const size_t best_size = best != nullptr ? best->mapped_bytes : 0;
    const bool better = best_size < bytes ? size > best_size : size >= bytes && size < best_size;
    if (better) best = block;
  }
  return take(best);
}

size_t excess_bytes() {
  const size_t allowed = allowed_bytes();
  return g.totals.bytes > allowed ? g.totals.bytes - allowed : 0;
}

HugeBlock *take_spare() {
  HugeBlock *block = g.spares.first;
  while (block != nullptr && align_up(block->usable_bytes, kPageTableBytes) >= block->mapped_bytes)
    block = block->next;
  return take(block);
}

HugeBlock *take_smallest() {
  HugeBlock *smallest = g.kept.first;
  for (HugeBlock *block = smallest; block != nullptr; block = block->next) {
    if (block->mapped_bytes < smallest->mapped_bytes) smallest = block;
  }
  return take(smallest != nullptr ? smallest : g.spares.first);
}

HugeBlock *take_aged() {
  HugeBlock *kept = g.kept.find_aged();
  return take(kept != nullptr ? kept : g.spares.find_aged());
}

HugeBlock *take_any() { return take(g.kept.first != nullptr ? g.kept.first : g.spares.first); }

void begin_age() {
  g.last_peak_bytes = g.peak_bytes;
  g.peak_bytes = g.live_bytes;
  for (const List &list : {g.kept, g.spares}) {
    for (HugeBlock *block = list.first; block != nullptr; block = block->next) {
      if (block->ages < kAgesKept) ++block->ages;
    }
  }
}

bool any() { return g_any.load(std::memory_order_relaxed); }

Totals totals() { return g.totals; }

void count_hit(bool grown) { ++(grown ? g.totals.grown : g.totals.hits); }

}  // namespace hakmem::huge_cache
