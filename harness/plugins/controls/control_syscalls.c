/* control_syscalls.c - plants system calls: `per_mop` in a million operations.
 *
 * Truth: N operations make N * per_mop / 1e6 calls of getppid more than the same control at 0
 *   makes. getppid reads one number: no lock, no sleep, no memory.
 */
#include <sys/syscall.h>

#include "control.h"

static double per_mop;
static uint64_t rate;

CONTROL_THREAD_LOCAL uint64_t sum;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {{"per_mop", 0, 0, 1e6, &per_mop}, {0}};
  return rows;
}

static int fault_start(void) {
  rate = control_rate(per_mop);
  return 0;
}

static void fault_thread_begin(uint64_t thread) { sum = control_first_sum(thread); }

static __attribute__((noinline)) void call(void) { syscall(SYS_getppid); }

static void fault_at_op(void) {
  if (control_due(&sum, rate)) call();
}
