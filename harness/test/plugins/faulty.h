/* faulty.h - the part that the misbehaving test plugins share: the floor's table (a constant block, a
 * free that does nothing) and a count of mallocs, so that a fault can wait for its moment. */
#ifndef TEST_PLUGINS_FAULTY_H_
#define TEST_PLUGINS_FAULTY_H_

#include "allocator_plugin.h"

/* What keeps `check` from testing the contract; a plugin may say otherwise before it includes this. */
#ifndef FAULTY_BUILD_CONFIG
#define FAULTY_BUILD_CONFIG "not-an-allocator; for tests"
#endif

/* What the table offers as shutdown. */
#ifndef FAULTY_SHUTDOWN
#define FAULTY_SHUTDOWN 0
#endif

static char block[4096];
static uint64_t mallocs;

static void at_malloc(uint64_t count); /* the plugin's fault */

static void *faulty_malloc(size_t size) {
  (void)size;
  at_malloc(++mallocs);
  return block;
}

static void faulty_free(void *freed) { (void)freed; }

static const allocator_plugin table = {.struct_size = sizeof table,
                                       .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
                                       .name = "faulty",
                                       .version = "1",
                                       .build_config = FAULTY_BUILD_CONFIG,
                                       .malloc = faulty_malloc,
                                       .free = faulty_free,
                                       .shutdown = FAULTY_SHUTDOWN};

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &table : 0;
}

#endif /* TEST_PLUGINS_FAULTY_H_ */
