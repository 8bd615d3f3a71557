/* glibc.c - the C library's allocator, even in a process where another one is preloaded. */
#include <errno.h>
#include <gnu/lib-names.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdio.h>

#include "allocator_plugin.h"
#include "settings.h"
#include "symbols.h"

static int (*libc_malloc_trim)(size_t pad);
static struct mallinfo2 (*libc_mallinfo2)(void);

static void glibc_purge(int level) {
  if (level == ALLOCATOR_PURGE_ALL) libc_malloc_trim(0);
}

static size_t glibc_stats_json(char *buf, size_t cap) {
  const struct mallinfo2 info = libc_mallinfo2();
  return (size_t)snprintf(
      buf, cap,
      "{\"heap_bytes\": %zu, \"mmapped_bytes\": %zu, \"in_use_bytes\": %zu, \"free_bytes\": %zu}",
      info.arena, info.hblkhd, info.uordblks + info.hblkhd, info.fordblks);
}

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "glibc",
      .build_config = PLUGIN_BUILD_CONFIG,
      .init = plugin_init_without_settings,
      .purge = glibc_purge,
      .stats_json = glibc_stats_json,
  };
  void *const libc = dlopen(LIBC_SO, RTLD_NOW | RTLD_NOLOAD);
  if (libc == NULL || abi_version != ALLOCATOR_PLUGIN_ABI_VERSION) return NULL;
  PLUGIN_SYMBOL(table.malloc, libc, "malloc");
  PLUGIN_SYMBOL(table.calloc, libc, "calloc");
  PLUGIN_SYMBOL(table.realloc, libc, "realloc");
  PLUGIN_SYMBOL(table.aligned_alloc, libc, "aligned_alloc");
  PLUGIN_SYMBOL(table.free, libc, "free");
  PLUGIN_SYMBOL(table.free_sized, libc, "free_sized"); /* C23: NULL in older releases */
  PLUGIN_SYMBOL(table.usable_size, libc, "malloc_usable_size");
  PLUGIN_SYMBOL(libc_malloc_trim, libc, "malloc_trim");
  PLUGIN_SYMBOL(libc_mallinfo2, libc, "mallinfo2");
  table.version = gnu_get_libc_version();
  return &table;
}
