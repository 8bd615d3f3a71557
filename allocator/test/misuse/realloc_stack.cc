#include "misuse.h"

int main() {
  alignas(64) char local[64];
  [[maybe_unused]] void *moved = hakmem_realloc(announce(local), 5'000);
}
