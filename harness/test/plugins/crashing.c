/* Ends with a segmentation fault at the 400,000th malloc. */
#include "faulty.h"

static void at_malloc(uint64_t count) {
  if (count == 400000) *(volatile char *)8 = 0;
}
