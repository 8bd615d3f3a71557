/* As it shuts down a SIGTERM comes to the whole process group: to hakbench, which waits for it, and to it. */
#include <signal.h>
#include <unistd.h>

static void end_all(void) {
  kill(getppid(), SIGTERM);
  raise(SIGTERM);
}

#define FAULTY_SHUTDOWN end_all
#include "faulty.h"

static void at_malloc(uint64_t count) { (void)count; }
