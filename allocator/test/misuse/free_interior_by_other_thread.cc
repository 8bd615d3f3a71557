#include <thread>

#include "misuse.h"

// The first block makes its slab known to the other thread; the second is proved with its batch.
int main() {
  void *block = hakmem_malloc(200);
  void *interior = announce(offset(hakmem_malloc(200), 64));
  std::thread([&] {
    hakmem_free(block);
    hakmem_free(interior);
  }).join();
}
