#include <signal.h>

#include "misuse.h"

// What finds the second free holds locks, and what a crash reporter does needs memory: the report must not
// wait for them.
void allocate_a_little(int) {
  for (size_t size = 16; size <= 4096; size *= 2) announce(hakmem_malloc(size));
}

int main() {
  signal(SIGABRT, allocate_a_little);
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_THREAD);
}
