/* Makes one system call in every 100,000 mallocs, to be counted. */
#include <sys/syscall.h>
#include <unistd.h>

#include "faulty.h"

static void at_malloc(uint64_t count) {
  if (count % 100000 == 0) syscall(SYS_getppid);
}
