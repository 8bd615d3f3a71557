#include "misuse.h"

// A pointer read out of a freed block leads nowhere.
int main() {
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  volatile char *next = *static_cast<char *volatile *>(block);
  return *next;
}
