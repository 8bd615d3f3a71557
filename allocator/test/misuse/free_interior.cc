#include "misuse.h"

int main() { hakmem_free(announce(offset(hakmem_malloc(256), 64))); }
