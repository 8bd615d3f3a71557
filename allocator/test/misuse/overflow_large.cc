#include "misuse.h"

int main() { write_byte(announce(hakmem_malloc(100'000)), 102'400, 'x'); }
