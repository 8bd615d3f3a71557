#include "misuse.h"

// A place in a slab where a block may be one day, but none is yet.
int main() { hakmem_free(announce(offset(hakmem_malloc(64), 64 * 200))); }
