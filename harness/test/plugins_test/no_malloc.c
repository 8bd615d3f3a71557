/* no_malloc.c - a shared object without any malloc of its own. */
int no_malloc_here(void) { return 1; }
