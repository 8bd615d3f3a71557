/* control_leak.c - plants a leak: `bytes_per_mop` bytes in a million operations, `bytes_per_hour`
 * bytes in an hour, or both.
 *
 * Truth: N operations leave N * bytes_per_mop / 1e6 bytes behind, and T hours after init
 *   T * bytes_per_hour more, in whole blocks of 256 bytes of the wrapped allocator, every byte
 *   written, so that they are resident: RSS grows by that and by what the allocator adds to a
 *   block.
 * How: a thread reads the clock every 65,536th operation of its own and leaks what is due by then,
 *   also for the time that it slept; threads with fewer operations never look.
 */
#include "control.h"

enum { LEAKED_BLOCK_BYTES = 256, CLOCK_OPS = 65536 };

static const double kNsPerHour = 3600e9;

static double bytes_per_mop;
static double bytes_per_hour;
static uint64_t rate;
static uint64_t start_ns;
static uint64_t blocks_by_clock; /* leaked since init because of bytes_per_hour, by all threads */

CONTROL_THREAD_LOCAL uint64_t sum;
CONTROL_THREAD_LOCAL uint32_t ops_to_clock;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {
      {"bytes_per_mop", 0, 0, LEAKED_BLOCK_BYTES * 1e6, &bytes_per_mop},
      {"bytes_per_hour", 0, 0, 1e12, &bytes_per_hour},
      {0}};
  return rows;
}

static int fault_start(void) {
  rate = control_rate(bytes_per_mop / LEAKED_BLOCK_BYTES);
  start_ns = CONTROL_NOW_NS();
  blocks_by_clock = 0;
  return 0;
}

static void fault_thread_begin(uint64_t thread) {
  sum = control_first_sum(thread);
  ops_to_clock = CLOCK_OPS;
}

static __attribute__((noinline)) void leak(uint64_t blocks) {
  for (; blocks > 0; --blocks) {
    void *const block = control_inner.malloc(LEAKED_BLOCK_BYTES);
    if (block != NULL) memset(block, 0xA5, LEAKED_BLOCK_BYTES);
  }
}

static __attribute__((noinline)) void leak_by_clock(void) {
  ops_to_clock = CLOCK_OPS;
  const double hours = (double)(CONTROL_NOW_NS() - start_ns) / kNsPerHour;
  const uint64_t due = (uint64_t)(hours * bytes_per_hour / LEAKED_BLOCK_BYTES);
  /* Relaxed: the count guards no other memory; the thread that moves it leaks the difference. */
  uint64_t before = __atomic_load_n(&blocks_by_clock, __ATOMIC_RELAXED);
  while (before < due && !__atomic_compare_exchange_n(&blocks_by_clock, &before, due, 0,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  if (before < due) leak(due - before);
}

static void fault_at_op(void) {
  if (control_due(&sum, rate)) leak(1);
  if (--ops_to_clock == 0) leak_by_clock();
}
