#include "misuse.h"

int main() {
  alignas(64) char local[64];
  [[maybe_unused]] const size_t bytes = hakmem_usable_size(announce(local));
}
