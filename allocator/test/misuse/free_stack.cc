#include "misuse.h"

int main() {
  alignas(64) char local[64];
  hakmem_free(announce(local));
}
