#include "misuse.h"

int main() { hakmem_free(announce(offset(hakmem_malloc(20 << 20), 1 << 20))); }
