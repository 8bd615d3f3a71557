/* Plants operations whose causes are known: each calloc maps its block afresh and writes every page, so it
 * has a page fault for each, and one for the page before the block that holds its length. Every 400th of
 * a thread also sleeps for 3 ms, so it leaves its CPU. free unmaps. */
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "allocator_plugin.h"

enum { PAGE_BYTES = 4096 };

static void *fresh_calloc(size_t n, size_t size) {
  static _Thread_local uint64_t calls;
  const size_t bytes = n * size + PAGE_BYTES;
  char *const memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  *(size_t *)memory = bytes;
  memset(memory + PAGE_BYTES, 0, n * size);
  const struct timespec nap = {0, 3000000};
  if (++calls % 400 == 0) nanosleep(&nap, NULL);
  return memory + PAGE_BYTES;
}

static void fresh_free(void *block) {
  if (block == NULL) return;
  char *const memory = (char *)block - PAGE_BYTES;
  munmap(memory, *(const size_t *)memory);
}

static void *fresh_malloc(size_t size) { return fresh_calloc(1, size); }

static const allocator_plugin table = {.struct_size = sizeof table,
                                       .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
                                       .name = "fresh_calloc",
                                       .version = "1",
                                       .build_config = "not-an-allocator; for tests",
                                       .malloc = fresh_malloc,
                                       .calloc = fresh_calloc,
                                       .free = fresh_free};

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : 0;
}
