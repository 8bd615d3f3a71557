/* planted_plugin.c - plugins with one planted fault each, chosen by PLANT_* at compile time, that the
 * loader or the check must catch. Without a fault it is a bump allocator that passes. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "allocator_plugin.h"

enum { HEADER_BYTES = 16 };

static unsigned char *cursor, *end;
static _Atomic int lock;

/* Never reuses memory, except where the fault is reuse. */
static void *bump(size_t size) {
  const size_t need = (size + HEADER_BYTES + 15) / 16 * 16;
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
  }
  if ((size_t)(end - cursor) < need) {
    const size_t chunk = need > (1u << 26) ? need : 1u << 26;
    cursor = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    end = cursor + chunk;
  }
  unsigned char *const block = cursor + HEADER_BYTES;
  *(size_t *)cursor = size;
  cursor += need;
#ifdef PLANT_OVERLAP
  if (size > 1000 && size < 1010) cursor -= 64; /* the tail belongs to the next block too */
#endif
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
  return block;
}

static size_t size_of(void *block) { return *(size_t *)((unsigned char *)block - HEADER_BYTES); }

static void *planted_malloc(size_t size) {
#ifdef PLANT_FROM_LIBC
  return malloc(size);
#endif
#ifdef PLANT_MISALIGNED
  if (size == 1000) {
    unsigned char *const block = (unsigned char *)bump(size + 8) + 8;
    *(size_t *)(block - HEADER_BYTES) = size;
    return block;
  }
#endif
#ifdef PLANT_NULL
  if (size == 77) return NULL;
#endif
  return bump(size);
}

static void planted_free(void *block) {
#ifdef PLANT_FROM_LIBC
  free(block);
#else
  (void)block;
#endif
}

static void *planted_calloc(size_t count, size_t size) {
#ifndef PLANT_CALLOC_OVERFLOW
  if (size != 0 && count > SIZE_MAX / size) return NULL;
#endif
  void *const block = planted_malloc(count * size);
#ifdef PLANT_NONZERO
  if (count * size == 500) ((unsigned char *)block)[499] = 1;
#endif
  return block;
}

static void *planted_realloc(void *block, size_t size) {
  void *const moved = bump(size);
  size_t kept = block == NULL ? 0 : size_of(block) < size ? size_of(block) : size;
#ifdef PLANT_REALLOC
  kept -= kept > 1000; /* loses the last byte */
#endif
  if (kept != 0) memcpy(moved, block, kept);
  return moved;
}

static size_t planted_usable_size(void *block) {
#ifdef PLANT_USABLE
  return size_of(block) + 64;
#else
  return size_of(block);
#endif
}

#ifdef PLANT_FIRST_TABLE
static size_t planted_ledger_json(char *buf, size_t cap) { return buf == NULL ? 0 : cap; }
#endif

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  static allocator_plugin table = {
#ifdef PLANT_SMALL_STRUCT
      .struct_size = ALLOCATOR_PLUGIN_FIRST_SIZE - sizeof(void *),
#else
      .struct_size = sizeof(allocator_plugin),
#endif
#ifdef PLANT_ABI
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION + 1,
#else
      .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
#endif
      .name = "planted",
      .version = "1",
      .build_config = "test",
      .malloc = planted_malloc,
      .calloc = planted_calloc,
      .realloc = planted_realloc,
      .free = planted_free,
      .usable_size = planted_usable_size,
  };
#ifdef PLANT_FOREIGN_POINTER
  table.free = free;
#endif
#ifdef PLANT_FIRST_TABLE
  table.struct_size = ALLOCATOR_PLUGIN_FIRST_SIZE;
  table.ledger_json = planted_ledger_json; /* behind the table's end */
#endif
#ifdef PLANT_NO_FREE
  table.free = NULL;
#endif
#ifdef PLANT_FROM_LIBC
  table.calloc = NULL;
  table.realloc = NULL;
  table.usable_size = NULL;
#endif
#ifdef PLANT_REFUSES
  return NULL;
#endif
  (void)abi_version;
  return &table;
}
