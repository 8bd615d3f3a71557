/* Ends the process as if all were well at the 400,000th malloc. */
#include <unistd.h>

#include "faulty.h"

static void at_malloc(uint64_t count) {
  if (count == 400000) _exit(0);
}
