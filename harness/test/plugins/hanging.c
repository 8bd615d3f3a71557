/* Stops for ever at the 200,000th malloc. */
#include "faulty.h"

static void at_malloc(uint64_t count) {
  while (count == 200000) {
    __asm__ volatile("");
  }
}
