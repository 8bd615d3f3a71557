#include "misuse.h"

int main() { hakmem_free_aligned_sized(announce(hakmem_aligned_alloc(64, 100)), 64, 101); }
