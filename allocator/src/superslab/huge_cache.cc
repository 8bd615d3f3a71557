#include "superslab/huge_cache.h"

#include <atomic>

#include "base/units.h"
#include "config/config.h"
#include "superslab/huge_block.h"

namespace hakmem::huge_cache {
namespace {

// The age in which a block was put here, and a whole one.
constexpr uint8_t kAgesKept = 2;

struct State {
  HugeBlock *blocks;  // newest first
  Totals totals;
  size_t live_bytes;
  size_t peak_bytes, last_peak_bytes;  // the most live, in this age and in the last
};
constinit State g{};
// Relaxed: a hint that it is worth looking.
constinit std::atomic<bool> g_any{false};

void follow() { g_any.store(g.blocks != nullptr, std::memory_order_relaxed); }

HugeBlock *take(HugeBlock **link) {
  HugeBlock *block = *link;
  *link = block->next;
  block->next = nullptr;
  --g.totals.blocks;
  g.totals.bytes -= block->mapped_bytes;
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
  block->next = g.blocks;
  g.blocks = block;
  ++g.totals.blocks;
  g.totals.bytes += block->mapped_bytes;
  follow();
}

HugeBlock *take_best(size_t bytes, size_t alignment) {
  HugeBlock **best = nullptr;
  for (HugeBlock **link = &g.blocks; *link != nullptr; link = &(*link)->next) {
    const HugeBlock *block = *link;
    if (address_of(block->base) % alignment != 0) continue;
    if (block->mapped_bytes == bytes) return take(link);
    if (best == nullptr) {
      best = link;
      continue;
    }
    const size_t size = block->mapped_bytes, best_size = (*best)->mapped_bytes;
    const bool better = best_size < bytes ? size > best_size : size >= bytes && size < best_size;
    if (better) best = link;
  }
  return best != nullptr ? take(best) : nullptr;
}

size_t excess_bytes() {
  const size_t allowed = allowed_bytes();
  return g.totals.bytes > allowed ? g.totals.bytes - allowed : 0;
}

HugeBlock *take_smallest() {
  if (g.blocks == nullptr) return nullptr;
  HugeBlock **smallest = &g.blocks;
  for (HugeBlock **link = &g.blocks; *link != nullptr; link = &(*link)->next) {
    if ((*link)->mapped_bytes < (*smallest)->mapped_bytes) smallest = link;
  }
  return take(smallest);
}

HugeBlock *take_aged() {
  for (HugeBlock **link = &g.blocks; *link != nullptr; link = &(*link)->next) {
    if ((*link)->ages >= kAgesKept) return take(link);
  }
  return nullptr;
}

HugeBlock *take_any() { return g.blocks != nullptr ? take(&g.blocks) : nullptr; }

void begin_age() {
  g.last_peak_bytes = g.peak_bytes;
  g.peak_bytes = g.live_bytes;
  for (HugeBlock *block = g.blocks; block != nullptr; block = block->next) {
    if (block->ages < kAgesKept) ++block->ages;
  }
}

bool any() { return g_any.load(std::memory_order_relaxed); }

Totals totals() { return g.totals; }

void count_hit(bool grown) { ++(grown ? g.totals.grown : g.totals.hits); }

}  // namespace hakmem::huge_cache
