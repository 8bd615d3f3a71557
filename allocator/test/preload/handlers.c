/* handlers.c - a library that registers fork handlers as it begins, before anybody has allocated.
 * They allocate, more than a thread has at hand. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { kSizes = 7, kBlocks = 40 };

static int g_calls;

static void allocate(void) {
  static const size_t sizes[kSizes] = {16, 100, 1000, 8000, 40000, 200000, 6000000};
  void *blocks[kSizes * kBlocks];
  ++g_calls;
  for (size_t i = 0; i < kSizes * kBlocks; ++i) {
    blocks[i] = malloc(sizes[i / kBlocks]);
    if (blocks[i] == NULL) abort();
    memset(blocks[i], 1, 16);
  }
  for (size_t i = 0; i < kSizes * kBlocks; ++i) free(blocks[i]);
}

int handlers_called(void) { return g_calls; }

__attribute__((constructor)) static void begin(void) {
  pthread_atfork(allocate, allocate, allocate);
}
