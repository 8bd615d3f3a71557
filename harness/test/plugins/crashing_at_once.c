/* Claims to be an allocator and ends with a segmentation fault at the first malloc. */
#define FAULTY_BUILD_CONFIG "for tests"
#include "faulty.h"

static void at_malloc(uint64_t count) {
  volatile char *volatile nowhere = 0;
  if (count == 1) *nowhere = 0;
}
