/* control_rss.c - plants resident memory: `kb` kilobytes more, from the start to the end.
 *
 * Truth: RSS above the process's own is `kb` kB (rounded up to pages of 4) higher than the same
 *   control's at 0; no other figure changes.
 * How: init maps and writes the pages itself, by mmap and without huge pages; the wrapped allocator
 *   knows nothing of them. Init comes after the harness took the process's own RSS, so they count
 *   as the allocator's.
 */
#include "control.h"

static double kb;
static void *extra;
static size_t extra_bytes;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {{"kb", 0, 0, 1 << 30, &kb}, {0}};
  return rows;
}

static int fault_start(void) {
  if (extra_bytes != 0) munmap(extra, extra_bytes);
  extra_bytes = 0;
  if (kb == 0) return 0;
  extra = control_map_resident(kb, &extra_bytes);
  return extra == NULL ? ENOMEM : 0;
}

static void fault_thread_begin(uint64_t thread) { (void)thread; }

static void fault_at_op(void) {}
