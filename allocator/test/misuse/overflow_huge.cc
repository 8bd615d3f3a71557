#include "misuse.h"

int main() { write_byte(announce(hakmem_malloc(5 << 20)), 5 << 20, 'x'); }
