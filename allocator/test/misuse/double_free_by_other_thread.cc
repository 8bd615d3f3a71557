#include <thread>

#include "misuse.h"

int main() {
  void *block = announce(hakmem_malloc(200));
  std::thread([block] { hakmem_free(block); }).join();
  hakmem_free(block);
}
