/* floor_functions.h - the functions of the plugin floor, for a loop without a harness.
 *
 * Purpose: bench_random_mixed_floor is what `hakbench run -a floor` must agree with: the same work, but
 *   nothing of the harness around it.
 * Boundary: FLOOR_PLUGIN is the plugin's file, set at compile time. Only for bench_random_mixed.c.
 * Invariants: the functions are the plugin's own, called through pointers. Copies of them in the program
 *   would not do: calls into another library cost more than calls to the next page (on Zen 3 about
 *   a nanosecond an op), and that is no cost of the harness.
 */
#pragma once

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocator_plugin.h"

static void *(*floor_malloc)(size_t);
static void (*floor_free)(void *);

__attribute__((constructor)) static void load_floor(void) {
  void *const library = dlopen(FLOOR_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  void *const symbol = library == NULL ? NULL : dlsym(library, "allocator_plugin_query");
  if (symbol == NULL) {
    fprintf(stderr, BENCH_PROGRAM ": %s; build the plugin floor\n", dlerror());
    exit(1);
  }
  const allocator_plugin *(*query)(uint32_t);
  *(void **)&query = symbol; /* ISO C has no cast from void * to a function */
  const allocator_plugin *const plugin = query(ALLOCATOR_PLUGIN_ABI_VERSION);
  floor_malloc = plugin->malloc;
  floor_free = plugin->free;
}
