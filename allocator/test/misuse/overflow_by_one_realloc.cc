#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(40));
  write_byte(block, 40, '\0');
  [[maybe_unused]] void *moved = hakmem_realloc(block, 100);
}
