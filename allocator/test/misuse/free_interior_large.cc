#include "misuse.h"

int main() { hakmem_free(announce(offset(hakmem_malloc(300'000), 65'536))); }
