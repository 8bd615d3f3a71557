#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(20 << 20));
  hakmem_free(block);
  hakmem_free(block);
}
