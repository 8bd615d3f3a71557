/* counting_plugin.h - what counting_plugin.c counted; found by dlsym under the name
 * counting_books. One thread at a time.
 */
#ifndef TEST_COUNTING_PLUGIN_H_
#define TEST_COUNTING_PLUGIN_H_

#include <stdint.h>

#include "allocator_plugin.h"

struct counting_books {
  uint64_t thread_begin, thread_end; /* calls, from here to shutdown */
  uint64_t malloc, calloc, realloc, aligned_alloc, free, free_sized, usable_size;
  uint64_t purge, stats_json, shutdown;
  int purge_level; /* of the last purge */
  uint64_t live_blocks;
  uint64_t live_bytes;
  uint64_t bad_frees; /* of what is not live, or with a wrong size */
  char settings[512]; /* as init got them */
};

#endif /* TEST_COUNTING_PLUGIN_H_ */
