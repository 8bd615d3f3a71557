#include "misuse.h"

// Also without HAKMEM_CHECK: when the thread's caches go back to their slabs, the second copy
// shows.
int main() {
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_THREAD);
}
