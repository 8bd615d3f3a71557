/* control_slow.c - plants a loss of throughput: `percent` of it.
 *
 * Truth: throughput is 1 - percent/100 of the same control at 0, by the clock that it reads; 40 gates saw
 *   0.967 for 3 % (docs/analysis/0005).
 * How: after every 1024 operations of a thread that took e ticks it spins for a base of 512 ticks, and
 *   for (e + 512) * percent / (100 - percent) more. A share of the time that was really used, not a fixed
 *   time an operation, so the ratio holds for every workload, machine and allocator. The base is there at
 *   0 too: what a spin does to the branch predictors must not count as part of the fault (without a base,
 *   3 % planted measured as 3.4).
 * Invariants: what a spin overran is taken off the next one. A gap far above the usual (the thread
 *   slept between epochs, or lost its CPU) is charged as a usual one: time that the thread did not
 *   have must not be spun for. Nor is it taken for spun: a step as long between two readings of a
 *   spin does not count. The first 2048 operations of a thread are free: nothing is known of them
 *   yet.
 */
#include "control.h"

/* A gap is too long from FAR_ABOVE times the usual on. STEP_AFTER of them in a row are no accident:
 * the operations have become slower. */
enum { FAR_ABOVE = 8, STEP_AFTER = 3, SMOOTHING_GAPS = 16, BASE_TICKS = 512 };

static double percent;
static double share; /* ticks to spin for each tick used */

CONTROL_THREAD_LOCAL struct {
  uint64_t ops;
  uint64_t last_end; /* of the last spin; 0 before the first */
  uint64_t usual;    /* gap between spins: a running mean of those charged in full */
  uint32_t long_gaps_in_row;
  int64_t owed; /* ticks to spin; negative after a spin that overran */
} thread_state;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {{"percent", 0, 0, 90, &percent}, {0}};
  return rows;
}

static int fault_start(void) {
  share = percent / (100 - percent);
  return 0;
}

static void fault_thread_begin(uint64_t thread) {
  (void)thread;
  memset(&thread_state, 0, sizeof thread_state);
}

/* The gap to charge for, and the mean's next value. */
static uint64_t chargeable(uint64_t gap) {
  const uint64_t usual = thread_state.usual;
  const int is_long = usual != 0 && gap > FAR_ABOVE * usual;
  if (is_long && ++thread_state.long_gaps_in_row < STEP_AFTER) return usual;
  thread_state.long_gaps_in_row = 0;
  if (is_long || gap < usual / FAR_ABOVE || usual == 0) {
    thread_state.usual = gap;
  } else {
    thread_state.usual = usual + gap / SMOOTHING_GAPS - usual / SMOOTHING_GAPS;
  }
  return usual == 0 ? 0 : gap; /* the first may hold the thread's whole start */
}

static __attribute__((noinline)) void tick(void) {
  uint64_t now = CONTROL_TICKS();
  if (thread_state.last_end != 0) {
    const uint64_t charged = chargeable(now - thread_state.last_end);
    if (charged != 0)
      thread_state.owed += BASE_TICKS + (int64_t)((double)(charged + BASE_TICKS) * share);
  }
  const uint64_t longest_step = FAR_ABOVE * thread_state.usual;
  int64_t owed = thread_state.owed;
  while (owed > 0) {
    const uint64_t before = now;
    now = CONTROL_TICKS();
    if (now - before <= longest_step) owed -= (int64_t)(now - before);
  }
  thread_state.owed = owed;
  thread_state.last_end = now;
}

static void fault_at_op(void) {
  if (++thread_state.ops % CONTROL_TICK_OPS == 0) tick();
}
