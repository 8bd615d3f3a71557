#include "misuse.h"

// hakmem looks addresses up by their place in a window of 4 TiB: this one has a huge block's place.
int main() { hakmem_free(announce(offset(hakmem_malloc(size_t{40} << 20), size_t{1} << 42))); }
