#include "misuse.h"

// Also without HAKMEM_CHECK: when the thread's caches go back to their slabs, each pointer is proved.
int main() {
  hakmem_free(announce(offset(hakmem_malloc(256), 64)));
  hakmem_purge(HAKMEM_PURGE_THREAD);
}
