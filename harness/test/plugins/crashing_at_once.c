/* Claims to be an allocator and ends with a segmentation fault at the first malloc. */
#include <signal.h>

#define FAULTY_BUILD_CONFIG "for tests"
#include "faulty.h"

static void at_malloc(uint64_t count) {
  if (count == 1) raise(SIGSEGV);
}
