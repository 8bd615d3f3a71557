/* control_leak.c - plants a leak: `bytes_per_mop` bytes in a million operations.
 *
 * Truth: N operations leave N * bytes_per_mop / 1e6 bytes behind, in whole blocks of 256 bytes of
 *   the wrapped allocator, every byte written, so that they are resident: RSS grows by that and by
 *   what the allocator adds to a block.
 */
#include "control.h"

enum { LEAKED_BLOCK_BYTES = 256 };

static double bytes_per_mop;
static uint64_t rate;

CONTROL_THREAD_LOCAL uint64_t sum;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {
      {"bytes_per_mop", 0, 0, LEAKED_BLOCK_BYTES * 1e6, &bytes_per_mop}, {0}};
  return rows;
}

static int fault_start(void) {
  rate = control_rate(bytes_per_mop / LEAKED_BLOCK_BYTES);
  return 0;
}

static void fault_thread_begin(uint64_t thread) { sum = control_first_sum(thread); }

static __attribute__((noinline)) void leak(void) {
  void *const block = control_inner.malloc(LEAKED_BLOCK_BYTES);
  if (block != NULL) memset(block, 0xA5, LEAKED_BLOCK_BYTES);
}

static void fault_at_op(void) {
  if (control_due(&sum, rate)) leak();
}
