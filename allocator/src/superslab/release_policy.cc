#include "superslab/release_policy.h"

#include <atomic>

#include "config/config.h"
#include "os/os.h"

namespace hakmem::release {
namespace {

// Statistics only: relaxed counters publish nothing but themselves.
constinit std::atomic<uint64_t> g_discard_calls{0}, g_discarded_bytes{0};
constinit std::atomic<uint64_t> g_unmap_calls{0}, g_unmapped_bytes{0};

void count(std::atomic<uint64_t> &calls, std::atomic<uint64_t> &total, size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  total.fetch_add(bytes, std::memory_order_relaxed);
}

// The kernel does not take pages lazily. relaxed: who does not see it yet finds out by itself.
constinit std::atomic<bool> g_refuses_lazily{false};

bool lean() { return knob(g_config.mem_lean) != 0; }

}  // namespace

bool lazily(Reason reason) {
  return reason != Reason::kDemand && lean() && knob(g_config.mem_lean_mode) == kFree &&
         !g_refuses_lazily.load(std::memory_order_relaxed);
}

Outcome discard(void *base, size_t bytes, Reason reason) {
  if (!wanted(reason)) return Outcome::kKept;
  const bool offer = lazily(reason);
  if (offer && os::g_kernel->discard_lazily(base, bytes)) {
    count(g_discard_calls, g_discarded_bytes, bytes);
    return Outcome::kUndefined;
  }
  if (!os::g_kernel->discard_now(base, bytes)) return Outcome::kKept;
  // Locked memory is refused either way; this is a kernel before 4.5, or a filter.
  if (offer) g_refuses_lazily.store(true, std::memory_order_relaxed);
  count(g_discard_calls, g_discarded_bytes, bytes);
  return Outcome::kZeroed;
}

bool unmap(void *base, size_t bytes) {
  if (!os::g_kernel->unmap(base, bytes)) return false;
  count(g_unmap_calls, g_unmapped_bytes, bytes);
  return true;
}

Totals totals() {
  return {g_discard_calls.load(std::memory_order_relaxed),
          g_discarded_bytes.load(std::memory_order_relaxed),
          g_unmap_calls.load(std::memory_order_relaxed),
          g_unmapped_bytes.load(std::memory_order_relaxed)};
}

}  // namespace hakmem::release
