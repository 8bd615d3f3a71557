/* wrapper_plugin.c - a plugin that charges mimalloc for a second call: the check must see it. */
#include <mimalloc.h>

#include "allocator_plugin.h"

static void *wrapped_malloc(size_t size) { return mi_malloc(size); }
static void wrapped_free(void *block) { mi_free(block); }

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static const allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "wrapper",
      .version = "1",
      .build_config = "test",
      .malloc = wrapped_malloc,
      .free = wrapped_free,
  };
  (void)abi_version;
  return &table;
}
