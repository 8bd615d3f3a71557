/* mimalloc.c - mimalloc as a plugin: the shared library's own mi_* functions. */
#include <mimalloc.h>
#include <stdio.h>

#include "allocator_plugin.h"
#include "settings.h"

typedef size_t (*usable_size_fn)(void *block); /* mi_usable_size, which takes a const void * */

static void mimalloc_purge(int level) { mi_collect(level == ALLOCATOR_PURGE_ALL); }

/* mi_version counts 2.0.9 as 209 and, later, 3.4.3 as 30403. */
static const char *mimalloc_version(void) {
  static char text[16];
  const int version = mi_version();
  if (version < 1000) {
    snprintf(text, sizeof text, "%d.%d.%d", version / 100, version / 10 % 10, version % 10);
  } else {
    snprintf(text, sizeof text, "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
  }
  return text;
}

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "mimalloc",
      .build_config = PLUGIN_BUILD_CONFIG,
      .init = plugin_init_without_settings,
      .malloc = mi_malloc,
      .calloc = mi_calloc,
      .realloc = mi_realloc,
      .aligned_alloc = mi_aligned_alloc,
      .free = mi_free,
      .free_sized = mi_free_size,
      .usable_size = (usable_size_fn)mi_usable_size,
      .purge = mimalloc_purge,
  };
  table.version = mimalloc_version();
  /* 2.0.9 and its elders return misaligned blocks for sizes 256, 512 and 1024 (the project's issue 700):
   * what does not work is not offered. */
  if (mi_version() >= 200 && mi_version() <= 209) table.aligned_alloc = NULL;
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : NULL;
}
