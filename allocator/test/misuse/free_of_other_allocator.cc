#include <cstdlib>

#include "misuse.h"

int main() { hakmem_free(announce(std::malloc(64))); }
