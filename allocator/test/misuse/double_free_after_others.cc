#include "misuse.h"

// Other blocks come and go between the two frees: one of them could have got the same place.
int main() {
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  for (int i = 0; i < 1'000; ++i) hakmem_free(hakmem_malloc(64));
  [[maybe_unused]] void *other = hakmem_malloc(64);
  hakmem_free(block);
}
