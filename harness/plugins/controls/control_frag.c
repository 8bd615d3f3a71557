/* control_frag.c - plants fragmentation: `percent` of the freed small blocks stay behind, at
 * random, so that the pages around them can't empty.
 *
 * Truth: of frees of blocks up to 2 KiB, a random `percent` are put into a table of `blocks` places
 *   instead, each at a random place, and the block that was there before is freed in its stead. So
 *   after N puts, blocks * (1 - (1 - 1/blocks)^N) blocks are held, at most `blocks`; one stays for
 *   `blocks` puts on the average. After a burst whose blocks of s bytes filled their pages, a share
 *   of 1 - (1 - percent/100)^(4096/s) of the pages is pinned by `percent` of the bytes.
 * Does not plant: a leak (the table is bounded and nothing is lost), or a trend without end.
 * Threads: the table is one for all, by atomic exchange; a block may be freed by another thread
 *   than the one that the workload meant.
 */
#define CONTROL_SWAPS_FREES
#include "control.h"

enum { SMALL_BYTES = 2048 };

static double percent;
static double blocks;
static void **held;
static uint64_t held_places;
static uint64_t threshold; /* a random 32-bit number below it holds a block back */

CONTROL_THREAD_LOCAL uint64_t random_state;

static const struct control_setting *fault_settings(void) {
  static const struct control_setting rows[] = {
      {"percent", 0, 0, 100, &percent}, {"blocks", 4096, 1, 1 << 24, &blocks}, {0}};
  return rows;
}

static int fault_start(void) {
  if (control_inner.usable_size == NULL && percent > 0) return ENOTSUP; /* what is small? */
  if (held != NULL) munmap(held, held_places * sizeof *held);
  held_places = (uint64_t)blocks;
  held = mmap(NULL, held_places * sizeof *held, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (held == MAP_FAILED) {
    held = NULL;
    return ENOMEM;
  }
  threshold = (uint64_t)(percent / 100 * 4294967296.0);
  return 0;
}

/* Each thread has its own fixed stream, so a run can be repeated. */
static void fault_thread_begin(uint64_t thread) { random_state = thread << 40; }

static void fault_at_op(void) {}

/* SplitMix64 (Steele, Lea and Flood 2014); the high half is the better one. */
static uint64_t next_random(void) {
  uint64_t r = random_state += 0x9E3779B97F4A7C15u;
  r = (r ^ (r >> 30)) * 0xBF58476D1CE4E5B9u;
  r = (r ^ (r >> 27)) * 0x94D049BB133111EBu;
  return r ^ (r >> 31);
}

static __attribute__((noinline)) void *hold(void *block) {
  if (block == NULL || control_inner.usable_size(block) > SMALL_BYTES) return block;
  void **const place = &held[(next_random() >> 32) * held_places >> 32];
  /* Release publishes this thread's use of the block to the thread that will free it; acquire is
   * that thread's side. */
  return __atomic_exchange_n(place, block, __ATOMIC_ACQ_REL);
}

static void *fault_block_to_free(void *block) {
  return next_random() >> 32 < threshold ? hold(block) : block;
}
