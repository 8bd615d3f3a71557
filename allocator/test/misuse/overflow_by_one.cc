#include "misuse.h"

// The end of a string, one place too far.
int main() {
  void *block = announce(hakmem_malloc(100));
  write_byte(block, 100, '\0');
  hakmem_free(block);
}
