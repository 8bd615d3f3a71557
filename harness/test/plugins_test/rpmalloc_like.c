/* rpmalloc_like.c - a library with rpmalloc's names and its rule that it must be initialised, and
 * every thread must begin and end. It aborts where the real one would crash. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MIN_ALIGNMENT = 16 };

static int initialised;
static _Thread_local int thread_begun;

int rpmalloc_initialize(void *memory_interface) {
  if (memory_interface != NULL) abort(); /* a pointer here would be called through */
  return initialised = 1, 0;
}

void rpmalloc_thread_initialize(void) { thread_begun = 1; }

void rpmalloc_thread_finalize(int release_caches) {
  if (!thread_begun || release_caches != 1) abort();
  thread_begun = 0;
}

/* One mapping a block; its length is in the word before the block. */
void *rpaligned_alloc(size_t alignment, size_t size) {
  if (!initialised || !thread_begun) abort();
  if (alignment < MIN_ALIGNMENT) alignment = MIN_ALIGNMENT;
  const size_t length = size + alignment + MIN_ALIGNMENT;
  unsigned char *const map =
      mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return NULL;
  const uintptr_t block = ((uintptr_t)map + MIN_ALIGNMENT + alignment - 1) / alignment * alignment;
  ((uintptr_t *)block)[-1] = length;
  ((uintptr_t *)block)[-2] = (uintptr_t)map;
  return (void *)block;
}

void *rpmalloc(size_t size) { return rpaligned_alloc(MIN_ALIGNMENT, size); }

void rpfree(void *block) {
  if (block == NULL) return;
  munmap((void *)((uintptr_t *)block)[-2], ((uintptr_t *)block)[-1]);
}
