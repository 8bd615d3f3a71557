#include "os/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace hakmem::os {
namespace {

// Critical sections are a microsecond or less, so a short spin usually suffices; a preempted holder
// needs the CPU, so it must stay short.
constexpr int kSpins = 64;

uint32_t *word(std::atomic<uint32_t> &state) { return reinterpret_cast<uint32_t *>(&state); }

}  // namespace

void Lock::lock_slow() {
  for (int i = 0; i < kSpins; ++i) {
    if (state_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
    __builtin_ia32_pause();
  }
  const int saved_errno = errno;
  // From here on we may sleep, so the state says 2 as long as we hold or wait.
  while (state_.exchange(2, std::memory_order_acquire) != 0) {
    syscall(SYS_futex, word(state_), FUTEX_WAIT_PRIVATE, 2, nullptr, nullptr, 0);
  }
  errno = saved_errno;
}

void Lock::wake_one() {
  const int saved_errno = errno;
  syscall(SYS_futex, word(state_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  errno = saved_errno;
}

}  // namespace hakmem::os
