/* tcmalloc.c - gperftools' tcmalloc_minimal as a plugin: the shared library's own tc_* functions.
 */
#include <gperftools/malloc_extension_c.h>
#include <gperftools/tcmalloc.h>
#include <stdio.h>

#include "allocator_plugin.h"
#include "settings.h"

static void tcmalloc_purge(int level) {
  MallocExtension_MarkThreadIdle();
  MallocExtension_MarkThreadBusy();
  if (level == ALLOCATOR_PURGE_ALL) MallocExtension_ReleaseFreeMemory();
}

static size_t tcmalloc_bytes(const char *name) {
  size_t value = 0;
  MallocExtension_GetNumericProperty(name, &value);
  return value;
}

static size_t tcmalloc_stats_json(char *buf, size_t cap) {
  return (size_t)snprintf(
      buf, cap,
      "{\"in_use_bytes\": %zu, \"heap_bytes\": %zu, \"page_heap_free_bytes\": %zu, "
      "\"page_heap_unmapped_bytes\": %zu, \"thread_cache_bytes\": %zu}",
      tcmalloc_bytes("generic.current_allocated_bytes"), tcmalloc_bytes("generic.heap_size"),
      tcmalloc_bytes("tcmalloc.pageheap_free_bytes"),
      tcmalloc_bytes("tcmalloc.pageheap_unmapped_bytes"),
      tcmalloc_bytes("tcmalloc.current_total_thread_cache_bytes"));
}

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "tcmalloc",
      .build_config = PLUGIN_BUILD_CONFIG,
      .init = plugin_init_without_settings,
      .malloc = tc_malloc,
      .calloc = tc_calloc,
      .realloc = tc_realloc,
      .aligned_alloc = tc_memalign, /* the same contract; there is no tc_aligned_alloc */
      .free = tc_free,
      .free_sized = tc_free_sized,
      .usable_size = tc_malloc_size,
      .purge = tcmalloc_purge,
      .stats_json = tcmalloc_stats_json,
  };
  table.version = tc_version(NULL, NULL, NULL);
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : NULL;
}
