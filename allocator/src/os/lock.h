// lock.h - a small mutex on a futex.
//
// Purpose:    mutual exclusion on slow paths, usable before any constructor has run and after fork.
// Invariants: state 0 free, 1 held, 2 held and somebody may sleep.
// Threads:    lock() acquires what the last unlock() released.
#ifndef HAKMEM_OS_LOCK_H_
#define HAKMEM_OS_LOCK_H_

#include <atomic>
#include <cstdint>

namespace hakmem::os {

class Lock {
 public:
  constexpr Lock() = default;
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

  void lock() {
    uint32_t expected = 0;
    // acquire: sees all that the previous holder wrote before its unlock().
    if (state_.compare_exchange_strong(expected, 1, std::memory_order_acquire)) [[likely]]
      return;
    lock_slow();
  }

  bool try_lock() {
    uint32_t expected = 0;
    return state_.compare_exchange_strong(expected, 1, std::memory_order_acquire);
  }

  void unlock() {
    // release: publishes what the holder wrote to the next lock().
    if (state_.exchange(0, std::memory_order_release) == 2) [[unlikely]]
      wake_one();
  }

  // In the only thread of a forked child: whoever held it is gone.
  void reset_after_fork() { state_.store(0, std::memory_order_relaxed); }

 private:
  void lock_slow();
  void wake_one();

  std::atomic<uint32_t> state_{0};
};

class LockGuard {
 public:
  explicit LockGuard(Lock &lock) : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard &) = delete;
  LockGuard &operator=(const LockGuard &) = delete;

 private:
  Lock &lock_;
};

}  // namespace hakmem::os

#endif  // HAKMEM_OS_LOCK_H_
