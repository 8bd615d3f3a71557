#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  [[maybe_unused]] void *moved = hakmem_realloc(block, 5'000);
}
