#include "misuse.h"

// Byte by byte upwards: what lies behind the slab is not reached.
int main() {
  void *block = announce(hakmem_malloc(1'000));
  for (size_t i = 0; i < 200'000; ++i) write_byte(block, i, 'x');
}
