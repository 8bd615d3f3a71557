#include "misuse.h"

// The byte before a block is the last of its neighbour's, which is found when that one is freed.
int main() {
  static char *blocks[20'000];
  for (char *&block : blocks) block = static_cast<char *>(hakmem_malloc(64));
  for (char *below : blocks) {
    for (char *block : blocks) {
      if (below + 80 != block) continue;
      announce(below);
      write_byte(block - 1, 0, static_cast<unsigned char>(block[-1] + 1));
      hakmem_free(block);
      hakmem_free(below);
      return 0;
    }
  }
}
