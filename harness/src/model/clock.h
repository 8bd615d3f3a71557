// clock.h - the wall clock of records.
//
// Boundary:   for time stamps only; durations are measured by monotonic clocks.
#ifndef HAKBENCH_MODEL_CLOCK_H_
#define HAKBENCH_MODEL_CLOCK_H_

#include <chrono>

namespace hakbench {

// Seconds since 1970.
inline double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_CLOCK_H_
