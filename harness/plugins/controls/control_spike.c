/* control_spike.c - plants slow operations: `per_mop` in a million take `us` microseconds longer.
 *
 * Truth: N operations hold N * per_mop / 1e6 such spikes, evenly spaced; each busy-waits, on the
 *   CPU and without a system call, before the operation. Throughput falls by per_mop * us / 1e6
 *   microseconds an operation. The kinds of operation (malloc, free) share the spikes in the
 *   proportion they are called in.
 */
#include "control.h"

static double per_mop;
static double us;
static uint64_t rate;
static uint64_t spike_ns;

CONTROL_THREAD_LOCAL uint64_t sum;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {
      {"per_mop", 0, 0, 1e6, &per_mop}, {"us", 100, 0, 1e6, &us}, {0}};
  return rows;
}

static int fault_start(void) {
  rate = control_rate(per_mop);
  spike_ns = (uint64_t)(us * 1000);
  return 0;
}

static void fault_thread_begin(uint64_t thread) { sum = control_first_sum(thread); }

static __attribute__((noinline)) void spike(void) {
  const uint64_t start_ns = CONTROL_NOW_NS();
  while (CONTROL_NOW_NS() - start_ns < spike_ns) {
  }
}

static void fault_at_op(void) {
  if (control_due(&sum, rate)) spike();
}
