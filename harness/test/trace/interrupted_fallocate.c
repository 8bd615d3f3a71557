/* Laid under a program with LD_PRELOAD: every other fallocate(2) ends as if a signal had been caught. */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

int fallocate(int fd, int mode, off_t offset, off_t length) {
  static unsigned calls;
  if (__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}
