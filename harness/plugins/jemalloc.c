/* jemalloc.c - jemalloc as a plugin.
 *
 * The distribution's jemalloc has no prefix: its functions are called malloc, free, ... The
 * loader's global scope would resolve these to the C library, so they are taken by dlsym from the
 * library that holds mallctl. free_sized is not offered: sdallocx has a third argument.
 */
#include <jemalloc/jemalloc.h>
#include <stdio.h>

#include "allocator_plugin.h"
#include "settings.h"
#include "symbols.h"

#define JEMALLOC_TEXT_(x) #x
#define JEMALLOC_TEXT(x) JEMALLOC_TEXT_(x)
#define JEMALLOC_ALL_ARENAS JEMALLOC_TEXT(MALLCTL_ARENAS_ALL)

static void jemalloc_purge(int level) {
  mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
  if (level == ALLOCATOR_PURGE_ALL) {
    mallctl("arena." JEMALLOC_ALL_ARENAS ".purge", NULL, NULL, NULL, 0);
  }
}

static size_t jemalloc_bytes(const char *name) {
  size_t value = 0;
  size_t size = sizeof value;
  mallctl(name, &value, &size, NULL, 0);
  return value;
}

static size_t jemalloc_stats_json(char *buf, size_t cap) {
  uint64_t epoch = 1; /* any write refreshes the statistics */
  mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
  return (size_t)snprintf(
      buf, cap,
      "{\"in_use_bytes\": %zu, \"active_bytes\": %zu, \"metadata_bytes\": %zu, "
      "\"resident_bytes\": %zu, \"mapped_bytes\": %zu, \"retained_bytes\": %zu}",
      jemalloc_bytes("stats.allocated"), jemalloc_bytes("stats.active"),
      jemalloc_bytes("stats.metadata"), jemalloc_bytes("stats.resident"),
      jemalloc_bytes("stats.mapped"), jemalloc_bytes("stats.retained"));
}

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "jemalloc",
      .version = "unknown",
      .build_config = PLUGIN_BUILD_CONFIG,
      .init = plugin_init_without_settings,
      .purge = jemalloc_purge,
      .stats_json = jemalloc_stats_json,
  };
  void *const library = plugin_library_of((void *)mallctl);
  if (library == NULL || abi_version != ALLOCATOR_PLUGIN_ABI_VERSION) return NULL;
  PLUGIN_SYMBOL(table.malloc, library, "malloc");
  PLUGIN_SYMBOL(table.calloc, library, "calloc");
  PLUGIN_SYMBOL(table.realloc, library, "realloc");
  PLUGIN_SYMBOL(table.aligned_alloc, library, "aligned_alloc");
  PLUGIN_SYMBOL(table.free, library, "free");
  PLUGIN_SYMBOL(table.usable_size, library, "malloc_usable_size");
  size_t size = sizeof table.version;
  mallctl("version", &table.version, &size, NULL, 0);
  return &table;
}
