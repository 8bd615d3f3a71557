#include "misuse.h"

// What lies in a block proves nothing: not even its own seal, put back by the program.
int main() {
  constexpr size_t kBlockBytes = 64;
  static char copy[kBlockBytes];
  void *block = announce(hakmem_malloc(56));
  for (size_t i = 0; i < kBlockBytes; ++i) copy[i] = static_cast<volatile char *>(block)[i];
  hakmem_free(block);
  for (size_t i = 0; i < kBlockBytes; ++i) static_cast<volatile char *>(block)[i] = copy[i];
  hakmem_free(block);
}
