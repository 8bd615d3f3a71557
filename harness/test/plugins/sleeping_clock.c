/* Laid under a program with LD_PRELOAD: half a second after its first look at CLOCK_BOOTTIME, that clock
 * jumps by an hour, once, as if the machine had been suspended. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
  static time_t awake_s;
  static long awake_ns;
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (clock != CLOCK_BOOTTIME || result != 0) return result;
  if (awake_s == 0) {
    awake_s = now->tv_sec;
    awake_ns = now->tv_nsec;
  }
  const long long awake = (now->tv_sec - awake_s) * 1000000000LL + (now->tv_nsec - awake_ns);
  if (awake > 500000000LL) now->tv_sec += 3600;
  return result;
}
