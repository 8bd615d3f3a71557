#include "misuse.h"

alignas(64) static char global[64];

int main() { hakmem_free(announce(global)); }
