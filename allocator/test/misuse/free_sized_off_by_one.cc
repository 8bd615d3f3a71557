#include "misuse.h"

int main() { hakmem_free_sized(announce(hakmem_malloc(100)), 101); }
