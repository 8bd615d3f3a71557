/* Stops for ever at the 400,000th malloc. */
#include "faulty.h"

static void at_malloc(uint64_t count) {
  while (count == 400000) {
    __asm__ volatile("");
  }
}
