/* steady.c - a preloaded library that makes a process do the same each time: for counting, not for timing.
 *
 * Purpose: an allocator that ages its caches by the clock, or draws addresses at random, executes other
 *   instructions in each run. Under `hakbench icount` the clock goes on by a microsecond a reading, and
 *   random bytes come from a fixed seed.
 * Boundary: LD_PRELOAD. Interposes clock_gettime and getrandom of the C library; system calls made without
 *   it are not seen, nor is the processor's time stamp counter.
 * Invariants: time never stands still, so that a loop that waits for it ends.
 * Threads: safe, but what several threads see depends on their order.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { kStartS = 1000000, kStepNs = 1000, kNsPerS = 1000000000 };

static _Atomic uint64_t readings;
static _Atomic uint64_t drawn;

int clock_gettime(clockid_t clock, struct timespec *now) {
  (void)clock;
  const uint64_t ns = kStepNs * atomic_fetch_add_explicit(&readings, 1, memory_order_relaxed);
  now->tv_sec = (time_t)(kStartS + ns / kNsPerS);
  now->tv_nsec = (long)(ns % kNsPerS);
  return 0;
}

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
  (void)flags;
  for (size_t i = 0; i < length; ++i) {
    /* The multiplier of Knuth's MMIX generator; its highest byte. */
    const uint64_t n = atomic_fetch_add_explicit(&drawn, 1, memory_order_relaxed);
    ((unsigned char *)buffer)[i] =
        (unsigned char)((n * 6364136223846793005u + 1442695040888963407u) >> 56);
  }
  return (ssize_t)length;
}
