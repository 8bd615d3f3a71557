/* A shared object that is neither a plugin nor an allocator. */
int nothing_to_see_here(void);
int nothing_to_see_here(void) { return 0; }
