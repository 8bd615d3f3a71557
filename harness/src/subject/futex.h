// futex.h - sleep on, wake, and spin for a word of memory that two processes share.
//
// Purpose:    coordinator and subject hand the turn over with a counted number of system calls.
// Boundary:   one system call each; who waits for what is control_block.h's.
#ifndef HAKBENCH_SUBJECT_FUTEX_H_
#define HAKBENCH_SUBJECT_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace hakbench {

inline uint32_t *futex_address(std::atomic<uint32_t> *word) {
  return reinterpret_cast<uint32_t *>(word);
}

// One system call. Returns 0 when woken, -1 with errno EAGAIN (the word differs from `expected`), EINTR
// or ETIMEDOUT. A null timeout waits for ever. The caller looks at the word again.
inline long futex_wait(std::atomic<uint32_t> *word, uint32_t expected, const timespec *timeout) {
  return syscall(SYS_futex, futex_address(word), FUTEX_WAIT, expected, timeout, nullptr, 0);
}

// One system call. Wakes every waiter of every process.
inline void futex_wake_all(std::atomic<uint32_t> *word) {
  syscall(SYS_futex, futex_address(word), FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

// A hint to the CPU inside a spin loop; never a system call.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_FUTEX_H_
