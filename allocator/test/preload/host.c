/* host.c - a C program that opens a library written in C++: hakmem_preload_host PLUGIN.
 *
 * Purpose: nothing of the C++ run-time is in sight of a library that was preloaded into a C
 *   program; new must throw bad_alloc, and call the new handler, all the same. Prints the same text
 *   whatever the allocator. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  int (*refused)(size_t) = NULL;
  if (library != NULL) *(void **)&refused = dlsym(library, "plugin_refused");
  if (refused == NULL) {
    fprintf(stderr, "hakmem_preload_host: %s\n", argc == 2 ? dlerror() : "usage: PLUGIN");
    return 1;
  }
  printf("the handler was called %d times before bad_alloc\n", refused((size_t)-1 / 4));
  return 0;
}
