/* control_work.c - plants instructions: `instructions_per_kop` in a thousand operations, exactly.
 *
 * Truth: instructions per operation are instructions_per_kop/1000 above the same control's at 0.
 *   How much time that is depends on the CPU (about a cycle for two); for a known share of time,
 *   control_slow.
 * How: every 1024 operations of a thread it runs a loop of two instructions the right number of
 *   times. What is left over (an odd instruction, a fraction) is carried to the next loop.
 */
#include "control.h"

static double instructions_per_kop;
static double instructions_per_tick;

CONTROL_THREAD_LOCAL struct {
  uint64_t ops;
  double owed; /* instructions */
} thread_state;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {
      {"instructions_per_kop", 0, 0, 1e9, &instructions_per_kop}, {0}};
  return rows;
}

static int fault_start(void) {
  instructions_per_tick = instructions_per_kop * CONTROL_TICK_OPS / 1000;
  return 0;
}

static void fault_thread_begin(uint64_t thread) {
  (void)thread;
  memset(&thread_state, 0, sizeof thread_state);
}

static __attribute__((noinline)) void tick(void) {
  thread_state.owed += instructions_per_tick;
  const uint64_t rounds = (uint64_t)thread_state.owed / 2;
  thread_state.owed -= (double)(2 * rounds);
  uint64_t left = rounds + 1; /* at least one round, so that 0 runs the same code */
  __asm__ volatile("1: dec %0; jnz 1b" : "+r"(left) : : "cc");
}

static void fault_at_op(void) {
  if (++thread_state.ops % CONTROL_TICK_OPS == 0) tick();
}
