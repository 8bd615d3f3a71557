/* floor.c - deliberately not an allocator: the least work that the plugin ABI permits.
 *
 * Purpose: a measurement of `floor` is the harness's own cost (loop, generator, indirect calls, one
 *   store), so every other result can say how many ns/op are the allocator's.
 * Invariants: every block is the same one. It is larger than what any workload writes into a block, and
 *   only pages that are written are resident. calloc does not clear it: what that costs is the
 *   allocator's to avoid.
 */
#include "allocator_plugin.h"
#include "settings.h"

enum { FLOOR_BLOCK_BYTES = 256 << 20 };

static _Alignas(4096) unsigned char the_block[FLOOR_BLOCK_BYTES];

static void *floor_malloc(size_t size) {
  (void)size;
  return the_block;
}

static void *floor_calloc(size_t count, size_t size) {
  (void)count;
  (void)size;
  return the_block;
}

static void *floor_realloc(void *block, size_t size) {
  (void)block;
  (void)size;
  return the_block;
}

static void *floor_aligned_alloc(size_t alignment, size_t size) {
  (void)alignment;
  (void)size;
  return the_block;
}

static void floor_free(void *block) { (void)block; }

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static const allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "floor",
      .version = "1",
      .build_config = "not-an-allocator; " PLUGIN_BUILD_CONFIG,
      .init = plugin_init_without_settings,
      .malloc = floor_malloc,
      .calloc = floor_calloc,
      .realloc = floor_realloc,
      .aligned_alloc = floor_aligned_alloc,
      .free = floor_free,
  };
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : NULL;
}
