#include "hardened/quarantine.h"

#include <bit>

#include "base/units.h"
#include "config/config.h"
#include "os/lock.h"
#include "os/os.h"

namespace hakmem::hardened::quarantine {
namespace {

// Entries are named by index; 0 is none.
struct Entry {
  void *block;
  uint32_t charge_bytes;
  uint32_t next_younger;  // in the queue; of an unused entry: the next unused
  uint32_t next_in_bucket;
};

// No block counts for less, so that the table's size follows from the budget.
constexpr size_t kMinChargeBytes = kMinAlign + sizeof(Entry);

struct State {
  os::Lock lock;
  Entry *entries;     // NULL: not made yet
  uint32_t *buckets;  // behind the entries
  size_t bucket_mask;
  uint32_t capacity;
  uint32_t made;    // entries below this were used at least once
  uint32_t unused;  // list
  uint32_t oldest, youngest;
  Totals totals;
};
constinit State g{};

size_t budget_bytes() { return static_cast<size_t>(knob(g_config.quarantine_kb)) * kKiB; }

uint32_t &bucket_of(const void *block) {
  constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;
  const uint64_t hash = (address_of(block) / kMinAlign) * kGoldenRatio;
  return g.buckets[(hash >> 32) & g.bucket_mask];
}

// The table's size is that of the budget at the first free; a larger budget later is cut to it.
bool make_table() {
  if (g.entries != nullptr) return true;
  const size_t capacity = budget_bytes() / kMinChargeBytes + 2;
  const size_t buckets = std::bit_ceil(capacity);
  const size_t entry_bytes = align_up(capacity * sizeof(Entry), kOsPageBytes);
  const size_t bytes = align_up(entry_bytes + buckets * sizeof(uint32_t), kOsPageBytes);
  bool taken = false;
  void *p = os::g_kernel->map(nullptr, bytes, &taken);
  if (p == nullptr) return false;
  g.entries = static_cast<Entry *>(p);
  g.buckets = static_cast<uint32_t *>(as_pointer(address_of(p) + entry_bytes));
  g.bucket_mask = buckets - 1;
  g.capacity = static_cast<uint32_t>(capacity);
  g.made = 1;
  return true;
}

uint32_t take_entry() {
  const uint32_t i = g.unused;
  if (i != 0) {
    g.unused = g.entries[i].next_younger;
    return i;
  }
  return g.made < g.capacity ? g.made++ : 0;
}

bool find(const void *block) {
  for (uint32_t i = bucket_of(block); i != 0; i = g.entries[i].next_in_bucket) {
    if (g.entries[i].block == block) return true;
  }
  return false;
}

void *pop_oldest() {
  const uint32_t i = g.oldest;
  if (i == 0) return nullptr;
  Entry &entry = g.entries[i];
  uint32_t *link = &bucket_of(entry.block);
  while (*link != i) link = &g.entries[*link].next_in_bucket;
  *link = entry.next_in_bucket;
  g.oldest = entry.next_younger;
  if (g.oldest == 0) g.youngest = 0;
  entry.next_younger = g.unused;
  g.unused = i;
  --g.totals.blocks;
  g.totals.charged_bytes -= entry.charge_bytes;
  return entry.block;
}

void *pop_excess() { return g.totals.charged_bytes > budget_bytes() ? pop_oldest() : nullptr; }

}  // namespace

Outcome put(void *block, size_t charge_bytes, void **evicted) {
  *evicted = nullptr;
  if (charge_bytes < kMinAlign) charge_bytes = kMinAlign;
  charge_bytes += sizeof(Entry);
  const os::LockGuard guard(g.lock);
  if (g.entries != nullptr && find(block)) return Outcome::kWaitedAlready;
  if (charge_bytes > budget_bytes() || !make_table()) return Outcome::kRefused;
  uint32_t i = take_entry();
  if (i == 0) {  // only after the budget was raised
    *evicted = pop_oldest();
    i = take_entry();
  }
  uint32_t &bucket = bucket_of(block);
  g.entries[i] = {block, static_cast<uint32_t>(charge_bytes), 0, bucket};
  bucket = i;
  (g.youngest != 0 ? g.entries[g.youngest].next_younger : g.oldest) = i;
  g.youngest = i;
  ++g.totals.blocks;
  g.totals.charged_bytes += charge_bytes;
  if (*evicted == nullptr) *evicted = pop_excess();
  return Outcome::kWaits;
}

void *take_excess() {
  const os::LockGuard guard(g.lock);
  return pop_excess();
}

void *take_oldest() {
  const os::LockGuard guard(g.lock);
  return pop_oldest();
}

bool holds(const void *block) {
  const os::LockGuard guard(g.lock);
  return g.entries != nullptr && find(block);
}

Totals totals() {
  const os::LockGuard guard(g.lock);
  return g.totals;
}

void lock_for_fork() { g.lock.lock(); }
void unlock_after_fork() { g.lock.unlock(); }
void reset_after_fork() { g.lock.reset_after_fork(); }

}  // namespace hakmem::hardened::quarantine
