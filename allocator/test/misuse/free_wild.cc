#include "misuse.h"

int main() { hakmem_free(announce(reinterpret_cast<void *>(uintptr_t{0x123456789000}))); }
