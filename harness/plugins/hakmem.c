/* hakmem.c - hakmem as a plugin, linked in statically; also hakmem_hardened, hakmem_observe
 * and hakmem_passdown, which are this source with those variants.
 *
 * Settings are hakmem's knobs by their environment names: {"HAKMEM_PROFILE": "mixed_balanced"}.
 */
#include "hakmem/hakmem.h"

#include "allocator_plugin.h"
#include "settings.h"

static int hakmem_plugin_init(const char *config_json) {
  return plugin_for_each_setting(config_json, hakmem_configure);
}

static void hakmem_plugin_purge(int level) {
  hakmem_purge(level == ALLOCATOR_PURGE_THREAD ? HAKMEM_PURGE_THREAD : HAKMEM_PURGE_ALL);
}

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = PLUGIN_NAME,
      .build_config = PLUGIN_BUILD_CONFIG,
      .init = hakmem_plugin_init,
      .malloc = hakmem_malloc,
      .calloc = hakmem_calloc,
      .realloc = hakmem_realloc,
      .aligned_alloc = hakmem_aligned_alloc,
      .free = hakmem_free,
      .free_sized = hakmem_free_sized,
      .usable_size = hakmem_usable_size,
      .purge = hakmem_plugin_purge,
      .stats_json = hakmem_stats_json,
      .ledger_json = HAKMEM_OBSERVE ? hakmem_ledger_json : NULL,
  };
  table.version = hakmem_version();
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : NULL;
}
