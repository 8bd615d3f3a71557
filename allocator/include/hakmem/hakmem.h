/* hakmem.h - the public C API of the hakmem allocator.
 *
 * Rules for all functions:
 *   - Sizes and alignments are in bytes. A block is aligned to 16 bytes at least.
 *   - Without memory: NULL and errno = ENOMEM. Success leaves errno alone; freeing always does.
 *   - A request of 0 bytes gets a block of its own, which must be freed.
 *   - Any thread may call any function, and free any block. Not from a signal handler that
 *     interrupted one of them: as malloc, they are not async-signal-safe.
 *   - Misuse that is detected (double free, a pointer that hakmem did not hand out) prints one line
 *     on standard error and aborts.
 *
 * libhakmem has the malloc family of the C library and the C++ operators too; what these add to the
 * rules is at the end of this file.
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

/* A block of at least `size` bytes; what is in it is undefined. NULL and ENOMEM if there is no
 * memory, or if `size` is above PTRDIFF_MAX. */
void *hakmem_malloc(size_t size);

/* A block of count * size bytes, all zero. NULL and ENOMEM also if the product overflows. */
void *hakmem_calloc(size_t count, size_t size);

/* Changes the size of `block` to `size` bytes, moving it if need be; as many bytes as both sizes
 * have keep their values, and bytes that are new are undefined. Returns where it is now, from then
 * on the only valid pointer to it. On failure NULL and ENOMEM, and `block` is as it was.
 *   block NULL:        hakmem_malloc(size).
 *   size 0, else:      frees `block` and returns NULL, errno untouched, as glibc does. C23 leaves
 *                      it undefined: portable programs call free instead.
 * A block that was over-aligned keeps no more than 16 bytes of alignment when it moves. */
void *hakmem_realloc(void *block, size_t size);

/* hakmem_realloc(block, count * size); NULL and ENOMEM, and `block` as it was, if the product
 * overflows. */
void *hakmem_reallocarray(void *block, size_t count, size_t size);

/* A block of `size` bytes at an address that is a multiple of `alignment`: any power of two, and
 * any size, a multiple of the alignment or not (C17). NULL and EINVAL if `alignment` is 0 or no
 * power of two. Freed as any other block. */
void *hakmem_aligned_alloc(size_t alignment, size_t size);

/* The same under POSIX's rules. Returns 0, ENOMEM, or EINVAL if `alignment` is not a power of two
 * that is a multiple of sizeof(void *). *out is written only on success, errno never. */
int hakmem_posix_memalign(void **out, size_t alignment, size_t size);

/* Frees `block`; nothing happens if it is NULL. errno is untouched (POSIX 2024). */
void hakmem_free(void *block);

/* Frees a block that was not over-aligned (C23). `size` is what was asked for, or what
 * hakmem_usable_size said; another is misuse, of which HAKMEM_CHECK=1 detects a size
 * above what may be used and one below half of it; of a block above 32 KiB, instead of the latter,
 * one of 32 KiB or less. NULL is accepted with any size. */
void hakmem_free_sized(void *block, size_t size);

/* Frees a block of hakmem_aligned_alloc or hakmem_posix_memalign (C23). `alignment` and `size` are
 * what was asked for; they are not checked. NULL is accepted. */
void hakmem_free_aligned_sized(void *block, size_t alignment, size_t size);

/* How many bytes may be used in `block`: what was asked for, or a little more. 0 for NULL. */
size_t hakmem_usable_size(void *block);

/* What hakmem_purge gives back. */
enum {
  /* The free blocks that the calling thread keeps at hand go back to their slabs, where other
   * threads find them. Nothing goes to the kernel, but for a superslab that empties in the
   * memory-lean modes 1 and 2. */
  HAKMEM_PURGE_THREAD = 0,
  /* And those of threads that have ended; then every free page goes back to the kernel. What other
   * running threads keep at hand stays with them, each: the newest blocks of every size (63 of them
   * or 64 KiB, whichever is less, but 8 at least: 4.5 MiB over all sizes), up to HAKMEM_DEPOT_KB
   * behind these, 512 KiB of large ones, or HAKMEM_DEPOT_KB if that is less, and the last 63 small
   * blocks of other threads that they have freed. */
  HAKMEM_PURGE_ALL = 1
};

/* Gives free memory back. Returns how many bytes went to the kernel, 0 if none did or `level` is
 * HAKMEM_PURGE_THREAD; parts that were never resident may be among them. Leaves errno alone. */
size_t hakmem_purge(int level);

/* Sets a knob by its name in the environment, to a value as written there: ("HAKMEM_CHECK", "1").
 * Overrides the environment, and holds from then on for what is yet to be decided; a thread that
 * has allocated before HAKMEM_CHECK was set is not checked. Returns 0, ENOENT (no such knob) or
 * EINVAL (no whole number, out of range, no such profile), or ENOTSUP (of the observe build, which
 * this is not). on, true, yes are read as 1, and off, false, no as 0.
 *   HAKMEM_PROFILE                 a named set of the values below. One that was set by its own name
 *                                  stays as it is:
 *                                    mixed_balanced (MIXED_TINYV3_C7_BALANCED), the default
 *                                    mixed_speed_first (MIXED_TINYV3_C7_SAFE)
 *                                    memory_lean_free, memory_lean_dontneed
 *   HAKMEM_CHECK                   1: check every malloc and free (slow, exact)
 *   HAKMEM_PURGE_DELAY_MS          milliseconds that free memory is kept before the kernel gets it, while
 *                                  the program allocates: a pause counts as a quarter of them (16
 *                                  ms at least), and nothing goes back during it
 *   HAKMEM_SS_MEM_LEAN             1: memory-lean mode, the default: no profile's warm pool
 *   HAKMEM_SS_MEM_LEAN_MODE        in it, an emptied superslab's pages are 0 (off): kept until they age,
 *                                  1 (free): given back lazily by MADV_FREE, 2 (dontneed): at once;
 *                                  1 is as 2 where the kernel refuses MADV_FREE
 *   HAKMEM_SS_WARM_POOL_KB         KiB of superslab memory that is made resident ahead of its use,
 *                                  to be set before the first allocation
 *   HAKMEM_HUGE_PAGE_THRESHOLD_MB  MiB of heap beyond which transparent huge pages are asked for
 *   HAKMEM_HUGE_CACHE_PERCENT      freed blocks above 4 MiB that are kept until they age: with those
 *                                  in use, this share of the recent peak; 0: none
 *   HAKMEM_DEPOT_KB                KiB of free blocks that a thread keeps at hand behind its newest
 *                                  ones
 * In the hardened build:
 *   HAKMEM_QUARANTINE_KB           KiB of later frees that must pass before a freed block is used
 *                                  again; 0: none
 *   HAKMEM_GUARD_PAGES             slabs and blocks above 32 KiB that may end in a guard page at a
 *                                  time
 * In the observe build:
 *   HAKMEM_TINY_MEM_DUMP           1: at exit, size classes and owners of all resident pages on
 *                                  standard error
 *   HAKMEM_SS_STATS_DUMP           1: at exit, superslabs, slabs by state, what went back to the
 *                                  kernel
 *   HAKMEM_WARM_POOL_STATS         1: at exit, memory that is free but kept resident
 *   HAKMEM_LEDGER_DUMP             a file that gets hakmem_ledger_json at exit; %p in its name is
 *                                  the process's number
 *   HAKMEM_LEDGER_SIGNAL           libhakmem-observe.so, read from the environment only: number of a
 *                                  signal on which that file is written too, such as 12 (SIGUSR2) */
int hakmem_configure(const char *name, const char *value);

/* Writes the statistics as a JSON object into `buf`: at most `cap` bytes, the NUL included, cut
 * short if need be; `buf` may be NULL if `cap` is 0. Returns the length of the whole without the
 * NUL. Counters that only the observe build keeps are absent from others. */
size_t hakmem_stats_json(char *buf, size_t cap);

/* The RSS ledger, in the observe build: each resident byte of the process with one owner, as a JSON
 * object {"pid":, "program":, "rss_bytes":, "residual_bytes":, "blocks_held_bytes":, "owners":
 * [{"name":, "bytes":, "doc":}, ...]}; or {"error": "..."} where it can't be had, and in other
 * builds. Exact while no other thread runs; the allocator is locked meanwhile. `buf`, `cap` and the
 * result are as above. */
size_t hakmem_ledger_json(char *buf, size_t cap);

/* "0.1.0 minimal", "0.1.0 observe" or "0.1.0 hardened"; never freed. */
const char *hakmem_version(void);

/* The C library's names in libhakmem: malloc, calloc, realloc, reallocarray, free, free_sized,
 * free_aligned_sized, aligned_alloc, posix_memalign and malloc_usable_size are the functions above.
 * Beyond them:
 *   memalign(alignment, size)  aligned_alloc, but an alignment that is no power of two is rounded
 *                              up to one, as glibc does; EINVAL if there is none.
 *   valloc, pvalloc            aligned to the page of 4096 bytes; pvalloc's size is rounded up to
 *                              whole pages, at least one.
 *   cfree                      free.
 *   malloc_trim(pad)           hakmem_purge(HAKMEM_PURGE_ALL), `pad` ignored; 1 if any byte
 *                              went back.
 *   mallopt(parameter, value)  accepted and ignored, returns 1: glibc's parameters do not apply.
 *   mallinfo2(), mallinfo()    bytes: arena mapped for blocks up to 4 MiB, and kept of freed larger
 *                              ones; uordblks of it in slabs and large blocks (magazines included),
 *                              fordblks free, keepcost free and likely resident; hblks blocks above
 *                              4 MiB, in hblkhd bytes. Other members are 0. mallinfo has int
 *                              members, which stop at INT_MAX.
 *   malloc_info(0, stream)     the same as a little XML; 0, or -1 (EINVAL) if the options are
 *                              not 0.
 *   malloc_stats()             hakmem_stats_json on standard error.
 * operator new calls the new handler and throws bad_alloc as the C++ standard says. Where a program
 * brings some of the operators, our nothrow, sized and sized aligned forms call its basic ones, as
 * the standard says too; but new[] and delete[] are ours if it does not bring them. */

#ifdef __cplusplus
}
#endif
#endif /* HAKMEM_HAKMEM_H_ */
