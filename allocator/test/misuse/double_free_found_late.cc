#include <thread>

#include "misuse.h"

// The second free waits in a batch behind the first, which empties the slab: that goes back, and
// what size class the block was is known no more.
int main() {
  hakmem_free(hakmem_malloc(64));  // this thread has a heap, and the other will have one of its own
  static void *blocks[4'096];
  void *apart[3] = {};  // each the last live block of its slab
  std::thread([&] {
    for (void *&block : blocks) block = hakmem_malloc(64);
    size_t found = 0;
    uintptr_t slab = 0;
    for (void *block : blocks) {
      const uintptr_t its_slab = reinterpret_cast<uintptr_t>(block) >> 16;
      if (found < 3 && its_slab != slab) {
        apart[found++] = block;
        slab = its_slab;
      } else {
        hakmem_free(block);
      }
    }
    hakmem_purge(HAKMEM_PURGE_THREAD);
  }).join();
  void *block = announce(apart[1]);
  for (void *next : {apart[0], block, apart[2], block}) hakmem_free(next);
  hakmem_purge(HAKMEM_PURGE_THREAD);
}
