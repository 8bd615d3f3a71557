#include "superslab/address_window.h"

#include <atomic>

#include "base/check.h"
#include "os/lock.h"
#include "os/os.h"
#include "superslab/release_policy.h"

namespace hakmem::address_window {

constinit std::atomic<uintptr_t> detail::g_units[kUnitCount];

namespace {

using detail::g_units;
using detail::index_of;
using detail::kReserved;

constinit os::Lock g_lock;
// Candidates lie below this address; the kernel fills its mmap area downwards.
constinit uintptr_t g_search_end = 0;

size_t units_in(size_t bytes) { return div_up(bytes, kUnitBytes); }

// relaxed/release: readers reach a unit only through a pointer that was handed to them after the
// unit was published, and that hand-over orders the two.
void set_units(uintptr_t base, size_t bytes, uintptr_t word) {
  for (size_t i = 0; i < units_in(bytes); ++i) {
    g_units[index_of(base + i * kUnitBytes)].store(word, std::memory_order_release);
  }
}

// Whether every unit of the range is free in the window and the range does not cover unit 0.
bool window_is_free(uintptr_t base, size_t bytes) {
  if (units_in(bytes) >= kUnitCount) return false;
  for (size_t i = 0; i < units_in(bytes); ++i) {
    const size_t index = index_of(base + i * kUnitBytes);
    if (index == 0 || g_units[index].load(std::memory_order_relaxed) != 0) return false;
  }
  return true;
}

// Of a range that has become shorter, those units that it no longer reaches.
void free_units(const void *base, size_t old_bytes, size_t new_bytes) {
  const uintptr_t first = align_up(address_of(base) + new_bytes, kUnitBytes);
  const uintptr_t end = align_up(address_of(base) + old_bytes, kUnitBytes);
  if (end <= first) return;
  set_units(first, end - first, 0);
  if (end > g_search_end) g_search_end = end;  // look there again first
}

// Finds where the kernel puts new mappings, to look for aligned room below.
void find_search_end() {
  bool taken = false;
  void *probe = os::g_kernel->map(nullptr, kOsPageBytes, &taken);
  if (probe == nullptr) return;
  g_search_end = align_down(address_of(probe), kUnitBytes);
  os::g_kernel->unmap(probe, kOsPageBytes);
}

void *map_below_search_end(size_t bytes, size_t alignment) {
  constexpr int kMaxCandidates = 64;
  if (g_search_end == 0) find_search_end();
  uintptr_t end = g_search_end;
  for (int i = 0; i < kMaxCandidates; ++i) {
    if (end <= bytes + alignment) return nullptr;
    const uintptr_t base = align_down(end - bytes, alignment);
    if (window_is_free(base, bytes)) {
      bool taken = false;
      void *p = os::g_kernel->map(as_pointer(base), bytes, &taken);
      if (p != nullptr) {
        g_search_end = base;
        return p;
      }
      if (!taken) return nullptr;
    }
    end = align_down(end - 1, kUnitBytes);
  }
  return nullptr;
}

// Maps more than is needed anywhere, and trims it.
void *map_anywhere(size_t bytes, size_t alignment) {
  bool taken = false;
  const size_t mapped = bytes + alignment;
  if (mapped < bytes) return nullptr;
  void *p = os::g_kernel->map(nullptr, mapped, &taken);
  if (p == nullptr) return nullptr;
  const uintptr_t begin = address_of(p);
  const uintptr_t base = align_up(begin, alignment);
  if (base != begin) os::g_kernel->unmap(p, base - begin);
  const uintptr_t tail = base + bytes;
  if (tail != begin + mapped) os::g_kernel->unmap(as_pointer(tail), begin + mapped - tail);
  if (window_is_free(base, bytes)) return as_pointer(base);
  os::g_kernel->unmap(as_pointer(base), bytes);
  return nullptr;
}

}  // namespace

void *map(size_t bytes, size_t alignment) {
  ASSERT(is_pow2(alignment) && alignment >= kUnitBytes);
  const os::LockGuard guard(g_lock);
  void *p = map_below_search_end(bytes, alignment);
  if (p == nullptr) p = map_anywhere(bytes, alignment);
  if (p != nullptr) set_units(address_of(p), bytes, kReserved);
  return p;
}

void publish(const void *base, size_t bytes, Use use, void *holder) {
  set_units(address_of(base), bytes, address_of(holder) | static_cast<uintptr_t>(use));
}

void unpublish(const void *base, size_t bytes) { set_units(address_of(base), bytes, kReserved); }

bool unmap(void *base, size_t bytes) {
  const os::LockGuard guard(g_lock);
  if (!release::unmap(base, bytes)) return false;
  free_units(base, bytes, 0);
  return true;
}

void forget(const void *base, size_t old_bytes, size_t new_bytes) {
  const os::LockGuard guard(g_lock);
  free_units(base, old_bytes, new_bytes);
}

bool grow(const Extent &old, size_t new_bytes, Use use, void *holder) {
  const os::LockGuard guard(g_lock);
  const uintptr_t base = address_of(old.base);
  const size_t reserved = units_in(old.bytes) * kUnitBytes;
  if (new_bytes > reserved && !window_is_free(base + reserved, new_bytes - reserved)) return false;
  if (!os::g_kernel->resize(as_pointer(base + old.seam), old.bytes - old.seam,
                            new_bytes - old.seam)) {
    return false;
  }
  publish(old.base, new_bytes, use, holder);
  return true;
}

bool shrink(void *base, size_t old_bytes, size_t new_bytes) {
  const os::LockGuard guard(g_lock);
  void *tail = as_pointer(address_of(base) + new_bytes);
  if (!release::unmap(tail, old_bytes - new_bytes)) return false;
  free_units(base, old_bytes, new_bytes);
  return true;
}

os::Moved split(void *base, size_t old_bytes, size_t new_bytes, void *target) {
  const os::LockGuard guard(g_lock);
  void *tail = as_pointer(address_of(base) + new_bytes);
  const size_t tail_bytes = old_bytes - new_bytes;
  const os::Moved moved = os::g_kernel->move(tail, tail_bytes, target, tail_bytes);
  if (moved == os::Moved::kYes) free_units(base, old_bytes, new_bytes);
  return moved;
}

const void *table() { return g_units; }

void lock_for_fork() { g_lock.lock(); }
void unlock_after_fork() { g_lock.unlock(); }
void reset_after_fork() { g_lock.reset_after_fork(); }

}  // namespace hakmem::address_window
