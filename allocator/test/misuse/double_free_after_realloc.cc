#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(64));
  void *moved = hakmem_realloc(block, 5'000);
  hakmem_free(block);
  hakmem_free(moved);
}
