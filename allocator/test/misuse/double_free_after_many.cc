#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(64));
  static void *others[10'000];
  for (void *&other : others) other = hakmem_malloc(64);
  hakmem_free(block);
  for (void *other : others) hakmem_free(other);
  hakmem_free(block);
}
