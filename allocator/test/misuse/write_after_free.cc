#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  write_byte(block, 17, 'x');
  for (int i = 0; i < 100'000; ++i) hakmem_free(hakmem_malloc(100));
}
