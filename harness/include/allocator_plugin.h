/* allocator_plugin.h - the one C11 interface between the harness and an allocator.
 *
 * A plugin is a shared object that exports a single symbol, `allocator_plugin_query`. The harness
 * calls it with the ABI version it speaks and gets a constant table, or NULL if the plugin cannot
 * speak that version. This header depends on nothing but <stddef.h> and <stdint.h>.
 *
 * Fairness: every function pointer in the table is the allocator's own function, never a wrapper of
 * it, so that each allocator pays exactly one indirect call. `hakbench check` proves it.
 * A NULL pointer means "not offered"; the harness then writes an empty cell, never 0.
 * The table is append-only: new members go to the end and `struct_size` tells how many there are.
 */
#ifndef ALLOCATOR_PLUGIN_H_
#define ALLOCATOR_PLUGIN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ALLOCATOR_PLUGIN_ABI_VERSION 1u
#define ALLOCATOR_PLUGIN_QUERY_SYMBOL "allocator_plugin_query"

/* Levels of `purge`. */
enum {
  ALLOCATOR_PURGE_THREAD = 0, /* give the calling thread's caches back to the allocator */
  ALLOCATOR_PURGE_ALL = 1     /* and every free page to the kernel, now */
};

typedef struct allocator_plugin {
  size_t struct_size;       /* sizeof(allocator_plugin) at the plugin's compile time */
  uint32_t abi_version;     /* ALLOCATOR_PLUGIN_ABI_VERSION at the plugin's compile time */
  const char *name;         /* "mimalloc" */
  const char *version;      /* "2.0.9" */
  const char *build_config; /* how it was built and linked, free text */

  /* Once per process, before any other call. `config_json` is a JSON object (never NULL; "{}" if
   * empty). Returns 0, or an errno value, which makes the harness refuse the plugin. */
  int (*init)(const char *config_json);
  void (*thread_begin)(void); /* first call on a new worker thread */
  void (*thread_end)(void);   /* last call on a worker thread */

  void *(*malloc)(size_t size);
  void *(*calloc)(size_t count, size_t size);
  void *(*realloc)(void *block, size_t size);
  void *(*aligned_alloc)(size_t alignment, size_t size);
  void (*free)(void *block);
  void (*free_sized)(void *block, size_t size);
  size_t (*usable_size)(void *block);

  void (*purge)(int level);
  /* Writes a JSON object of at most `cap` bytes, NUL included; returns the length it needs. */
  size_t (*stats_json)(char *buf, size_t cap);
  void (*shutdown)(void); /* once, after the last call */

  /* Members below were added later: a table that ends before them is as good as one with NULL. */

  /* As stats_json: each resident byte of this process with one owner, {"rss_bytes": N,
   * "residual_bytes": N, "owners": [{"name": "live_blocks", "bytes": N, "doc": "..."}, ...]}, or
   * {"error": "..."}. Called while no worker runs. */
  size_t (*ledger_json)(char *buf, size_t cap);
} allocator_plugin;

/* The size of the first table, the smallest there is. */
#define ALLOCATOR_PLUGIN_FIRST_SIZE offsetof(allocator_plugin, ledger_json)

/* The exported symbol. */
const allocator_plugin *allocator_plugin_query(uint32_t abi_version);
typedef const allocator_plugin *(*allocator_plugin_query_fn)(uint32_t abi_version);

#ifdef __cplusplus
}
#endif
#endif /* ALLOCATOR_PLUGIN_H_ */
