/* no_malloc.c - a shared object without any malloc of its own. It needs the C library, whose malloc the
 * loader must not take for the object's. */
#include <unistd.h>

int no_malloc_here(void) { return getpid(); }
