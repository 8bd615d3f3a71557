#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(64));
  hakmem_free(block);
  [[maybe_unused]] const size_t bytes = hakmem_usable_size(block);
}
