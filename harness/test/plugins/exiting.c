/* Ends the process as if all were well at the 200,000th malloc. */
#include <unistd.h>

#include "faulty.h"

static void at_malloc(uint64_t count) {
  if (count == 200000) _exit(0);
}
