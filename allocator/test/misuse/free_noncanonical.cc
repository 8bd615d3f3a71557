#include "misuse.h"

// No address space has it: the look-up itself must not fault.
int main() { hakmem_free(announce(reinterpret_cast<void *>(uintptr_t{0xdead'beef'dead'bee0}))); }
