#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(100'000));
  write_byte(block, 100'000, '\0');
  hakmem_free(block);
}
