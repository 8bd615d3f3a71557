#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(300'000));
  hakmem_free(block);
  hakmem_free(block);
}
