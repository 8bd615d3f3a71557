/* An allocator in small that brings an operator new of its own, as jemalloc does. */
#include <stddef.h>

void *__libc_malloc(size_t size);

void *malloc(size_t size) { return __libc_malloc(size); }
void *_Znwm(size_t size) { return __libc_malloc(size); }
