#include "os/guard.h"

#include <atomic>

#include "base/units.h"
#include "config/config.h"
#include "os/os.h"

namespace hakmem::os::guard {
namespace {

// relaxed: a bound that need not be exact.
constinit std::atomic<int64_t> g_closed{0};
// Whether open_for_free() was ever refused; relaxed: who gets the memory learns of both by a lock.
constinit std::atomic<bool> g_free_memory_is_closed{false};

}  // namespace

bool close(uintptr_t begin, size_t bytes) {
  if (g_closed.load(std::memory_order_relaxed) >= most_guards()) return false;
  if (!g_kernel->set_access(as_pointer(begin), bytes, false)) return false;
  g_closed.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool open(uintptr_t begin, size_t bytes) {
  if (!g_kernel->set_access(as_pointer(begin), bytes, true)) return false;
  forget();
  return true;
}

void open_for_free(uintptr_t begin, size_t bytes) {
  if (open(begin, bytes)) return;
  g_free_memory_is_closed.store(true, std::memory_order_relaxed);
  forget();
}

bool reclaim(uintptr_t begin, size_t bytes) {
  return !g_free_memory_is_closed.load(std::memory_order_relaxed) ||
         g_kernel->set_access(as_pointer(begin), bytes, true);
}

void forget() { g_closed.fetch_sub(1, std::memory_order_relaxed); }

size_t count() { return static_cast<size_t>(g_closed.load(std::memory_order_relaxed)); }

}  // namespace hakmem::os::guard
