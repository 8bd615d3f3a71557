#include "coordinator/suspend_watch.h"

#include <time.h>

namespace hakbench {
namespace {

int64_t now_ns(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t suspended_ns_since_boot() {
  const int64_t running_ns = now_ns(CLOCK_MONOTONIC);
  return now_ns(CLOCK_BOOTTIME) - running_ns;
}

}  // namespace hakbench
