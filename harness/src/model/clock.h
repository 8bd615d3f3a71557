// clock.h - the wall clock of records.
#pragma once

#include <chrono>

namespace hakbench {

// Seconds since 1970.
inline double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace hakbench
