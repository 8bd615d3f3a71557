/* hakmem.h - the public C API of the hakmem allocator.
 *
 * The functions named after the C library's have its contract: alignment of at least 16 bytes, NULL
 * and errno = ENOMEM when memory cannot be had, errno untouched otherwise. A block may be freed by
 * any thread. Misuse that is detected (double free, a pointer that hakmem did not hand out) prints one
 * line on standard error and aborts.
 */
#ifndef HAKMEM_HAKMEM_H_
#define HAKMEM_HAKMEM_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAKMEM_VERSION_MAJOR 0
#define HAKMEM_VERSION_MINOR 1
#define HAKMEM_VERSION_PATCH 0
#define HAKMEM_VERSION "0.1.0"

void *hakmem_malloc(size_t size);
void *hakmem_calloc(size_t count, size_t size);
void *hakmem_realloc(void *block, size_t size);
void *hakmem_reallocarray(void *block, size_t count, size_t size);
/* Any power-of-two alignment, any size. NULL and EINVAL if the alignment is no power of two. */
void *hakmem_aligned_alloc(size_t alignment, size_t size);
/* Returns 0, EINVAL or ENOMEM; *out is written only on success. */
int hakmem_posix_memalign(void **out, size_t alignment, size_t size);
void hakmem_free(void *block);
/* `size` is what was asked for, or what hakmem_usable_size said. */
void hakmem_free_sized(void *block, size_t size);
void hakmem_free_aligned_sized(void *block, size_t alignment, size_t size);
/* Bytes that may be used in `block`; 0 for NULL. */
size_t hakmem_usable_size(void *block);

/* What hakmem_purge gives back. */
enum {
  HAKMEM_PURGE_THREAD = 0, /* the calling thread's caches go back to their slabs */
  HAKMEM_PURGE_ALL = 1     /* and every free page goes back to the kernel */
};
/* Returns how many bytes went back to the kernel. */
size_t hakmem_purge(int level);

/* Sets one knob by its environment name ("HAKMEM_SS_MEM_LEAN", "1"). Takes effect from then on.
 * Returns 0, ENOENT (no such knob) or EINVAL (value out of range). */
int hakmem_configure(const char *name, const char *value);

/* Writes the statistics as a JSON object into buf (at most cap bytes, NUL included); returns the
 * length it needs without the NUL. Counters that only the observe build keeps are absent otherwise. */
size_t hakmem_stats_json(char *buf, size_t cap);

/* "0.1.0 minimal" or "0.1.0 observe". */
const char *hakmem_version(void);

#ifdef __cplusplus
}
#endif
#endif /* HAKMEM_HAKMEM_H_ */
