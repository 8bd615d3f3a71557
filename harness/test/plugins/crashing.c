/* Ends with a segmentation fault at the 200,000th malloc. */
#include <signal.h>

#include "faulty.h"

static void at_malloc(uint64_t count) {
  if (count == 200000) raise(SIGSEGV);
}
