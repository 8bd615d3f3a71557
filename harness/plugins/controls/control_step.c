/* control_step.c - plants one step: `kb` kilobytes more from a moment on, once, and never given
 * back.
 *
 * Truth: when all threads together have done `after_mop` million operations and `after_s` seconds
 *   have passed since init, RSS rises by `kb` kB (rounded up to pages of 4), at once and for good;
 *   before and after that nothing changes. Looked at by each thread every 1024th operation of its
 *   own, so the moment is late by less than 1024 operations a thread.
 */
#include "control.h"

static double kb;
static double after_mop;
static double after_s;
static uint64_t after_ops;
static uint64_t after_ns;
static uint64_t start_ns;
static uint64_t ops; /* of all threads, in whole ticks */
static int stepped;
static void *kept;
static size_t kept_bytes;

CONTROL_THREAD_LOCAL uint32_t ops_to_tick;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {{"kb", 0, 0, 1 << 30, &kb},
                                                {"after_mop", 0, 0, 1e12, &after_mop},
                                                {"after_s", 0, 0, 1e9, &after_s},
                                                {0}};
  return rows;
}

static int fault_start(void) {
  if (kept_bytes != 0) munmap(kept, kept_bytes);
  kept_bytes = 0;
  after_ops = (uint64_t)(after_mop * 1e6);
  after_ns = (uint64_t)(after_s * 1e9);
  start_ns = CONTROL_NOW_NS();
  ops = 0;
  stepped = kb == 0;
  return 0;
}

static void fault_thread_begin(uint64_t thread) {
  (void)thread;
  ops_to_tick = CONTROL_TICK_OPS;
}

/* Relaxed throughout: the counts guard no other memory, and the exchange lets one thread through. */
static __attribute__((noinline)) void tick(void) {
  ops_to_tick = CONTROL_TICK_OPS;
  const uint64_t done = __atomic_add_fetch(&ops, CONTROL_TICK_OPS, __ATOMIC_RELAXED);
  if (__atomic_load_n(&stepped, __ATOMIC_RELAXED) || done < after_ops) return;
  if (CONTROL_NOW_NS() - start_ns < after_ns) return;
  if (!__atomic_exchange_n(&stepped, 1, __ATOMIC_RELAXED))
    kept = control_map_resident(kb, &kept_bytes);
}

static void fault_at_op(void) {
  if (--ops_to_tick == 0) tick();
}
