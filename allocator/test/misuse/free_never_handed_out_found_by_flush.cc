#include "misuse.h"

// Also without HAKMEM_CHECK, as free_interior_found_by_flush.
int main() {
  hakmem_free(announce(offset(hakmem_malloc(64), 64 * 900)));
  hakmem_purge(HAKMEM_PURGE_THREAD);
}
