/* counting_plugin.c - an allocator for a control to wrap: it counts the calls of every member and
 * the bytes that are live, and notices a block that is freed twice or never was one. The test
 * reads counting_books.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "counting_plugin.h"

enum { LIVE = 0x11FE11FE, FREED = 0x0DEAD0DE };

/* Before each block. 16 bytes keep malloc's alignment. */
struct header {
  uint64_t size;
  uint64_t state;
};

struct counting_books counting_books;

static struct header *header_of(void *block) { return (struct header *)block - 1; }

static void *take(size_t size) {
  struct header *const header = malloc(size + sizeof *header);
  if (header == NULL) return NULL;
  header->size = size;
  header->state = LIVE;
  ++counting_books.live_blocks;
  counting_books.live_bytes += size;
  return header + 1;
}

static void give(void *block) {
  if (block == NULL) return;
  struct header *const header = header_of(block);
  if (header->state != LIVE) {
    ++counting_books.bad_frees;
    return;
  }
  header->state = FREED;
  --counting_books.live_blocks;
  counting_books.live_bytes -= header->size;
  free(header);
}

static int counting_init(const char *config_json) {
  if (strlen(config_json) >= sizeof counting_books.settings) return E2BIG;
  strcpy(counting_books.settings, config_json);
  return strstr(config_json, "refuse") == NULL ? 0 : EDOM;
}

static void counting_thread_begin(void) { ++counting_books.thread_begin; }
static void counting_thread_end(void) { ++counting_books.thread_end; }

static void *counting_malloc(size_t size) {
  ++counting_books.malloc;
  return take(size);
}

static void *counting_calloc(size_t count, size_t size) {
  ++counting_books.calloc;
  void *const block = take(count * size);
  if (block != NULL) memset(block, 0, count * size);
  return block;
}

static void *counting_realloc(void *block, size_t size) {
  ++counting_books.realloc;
  void *const moved = take(size);
  if (moved != NULL && block != NULL) {
    const size_t before = header_of(block)->size;
    memcpy(moved, block, before < size ? before : size);
    give(block);
  }
  return moved;
}

static void *counting_aligned_alloc(size_t alignment, size_t size) {
  ++counting_books.aligned_alloc;
  return alignment <= sizeof(struct header) ? take(size) : NULL;
}

static void counting_free(void *block) {
  ++counting_books.free;
  give(block);
}

static void counting_free_sized(void *block, size_t size) {
  ++counting_books.free_sized;
  if (block != NULL && header_of(block)->size != size) ++counting_books.bad_frees;
  give(block);
}

static size_t counting_usable_size(void *block) {
  ++counting_books.usable_size;
  return header_of(block)->size;
}

static void counting_purge(int level) {
  ++counting_books.purge;
  counting_books.purge_level = level;
}

static size_t counting_stats_json(char *buf, size_t cap) {
  ++counting_books.stats_json;
  if (cap > 2) strcpy(buf, "{}");
  return 2;
}

static void counting_shutdown(void) { ++counting_books.shutdown; }

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static const allocator_plugin table = {
      .struct_size = sizeof(allocator_plugin),
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
      .name = "counting",
      .version = "7",
      .build_config = "test",
      .init = counting_init,
      .thread_begin = counting_thread_begin,
      .thread_end = counting_thread_end,
      .malloc = counting_malloc,
      .calloc = counting_calloc,
      .realloc = counting_realloc,
      .aligned_alloc = counting_aligned_alloc,
      .free = counting_free,
      .free_sized = counting_free_sized,
      .usable_size = counting_usable_size,
      .purge = counting_purge,
      .stats_json = counting_stats_json,
      .shutdown = counting_shutdown,
  };
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : NULL;
}
