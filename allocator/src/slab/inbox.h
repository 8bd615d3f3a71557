// inbox.h - where other threads leave a heap's blocks for it.
//
// Purpose:    frees by other threads reach the heap's magazines without passing through its slabs.
// Owns:       up to kBlocks pointers of any classes; the blocks count as in use for their slabs.
// Boundary:   who deposits has proved that each block lies in a slab of this heap's pool.
// Invariants: only an open inbox takes deposits; it is open while a thread has the heap.
// Threads:    any thread; everything happens under the inbox's lock, which is never held while
//             another is taken, but by heap_registry::freeze().
#ifndef HAKMEM_SLAB_INBOX_H_
#define HAKMEM_SLAB_INBOX_H_

#include <atomic>
#include <cstddef>
#include <cstring>

#include "os/lock.h"

namespace hakmem {

class Inbox {
 public:
  static constexpr size_t kBlocks = 256;
  static constexpr size_t kStorageBytes = kBlocks * sizeof(void *);

  constexpr Inbox() = default;
  void set_storage(void **storage) { storage_ = storage; }

  void set_open(bool open) {
    const os::LockGuard guard(lock_);
    open_ = open;
  }

  // False: not open, or no room for all of them.
  bool deposit(void *const *blocks, size_t count) {
    const os::LockGuard guard(lock_);
    const size_t held = held_.load(std::memory_order_relaxed);
    if (!open_ || count > kBlocks - held) return false;
    memcpy(storage_ + held, blocks, count * sizeof(void *));
    held_.store(held + count, std::memory_order_relaxed);
    return true;
  }

  // relaxed: a hint; collect() looks again under the lock.
  bool has_mail() const { return held_.load(std::memory_order_relaxed) != 0; }

  // Takes up to `most` blocks out, those that came last.
  size_t collect(void **out, size_t most) {
    const os::LockGuard guard(lock_);
    const size_t held = held_.load(std::memory_order_relaxed);
    if (held == 0) return 0;  // also where there is no storage, and never was
    const size_t count = held < most ? held : most;
    memcpy(out, storage_ + held - count, count * sizeof(void *));
    held_.store(held - count, std::memory_order_relaxed);
    return count;
  }

  // What waits, for an onlooker who holds the lock.
  template <class F>
  void for_each(F f) const {
    const size_t held = held_.load(std::memory_order_relaxed);
    for (size_t i = 0; i < held; ++i) f(storage_[i]);
  }

  os::Lock &lock() { return lock_; }

 private:
  os::Lock lock_;
  bool open_ = false;
  std::atomic<size_t> held_{0};
  void **storage_ = nullptr;
};

}  // namespace hakmem

#endif  // HAKMEM_SLAB_INBOX_H_
