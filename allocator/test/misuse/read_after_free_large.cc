#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(100'000));
  hakmem_free(block);
  return *static_cast<volatile char *>(block);
}
