/* Ends with a segmentation fault at the 200,000th malloc. */
#include "faulty.h"

static void at_malloc(uint64_t count) {
  volatile char *volatile nowhere = 0;
  if (count == 200000) *nowhere = 0;
}
