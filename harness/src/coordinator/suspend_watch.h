// suspend_watch.h - was the machine suspended since the last look?
//
// Purpose:    CLOCK_BOOTTIME goes on while the machine sleeps, CLOCK_MONOTONIC does not: what their
//             difference grew by is the time slept.
// Boundary:   reads two clocks; tests hand in their own reading.
// Invariants: reading two clocks takes time itself, so less than kLeastNs is no suspension.
#ifndef HAKBENCH_COORDINATOR_SUSPEND_WATCH_H_
#define HAKBENCH_COORDINATOR_SUSPEND_WATCH_H_

#include <cstdint>
#include <functional>

namespace hakbench {

// CLOCK_BOOTTIME - CLOCK_MONOTONIC.
int64_t suspended_ns_since_boot();

class SuspendWatch {
 public:
  static constexpr int64_t kLeastNs = 100'000'000;

  explicit SuspendWatch(std::function<int64_t()> suspended_ns = suspended_ns_since_boot)
      : suspended_ns_(std::move(suspended_ns)), last_ns_(suspended_ns_()) {}

  // Nanoseconds slept since the last call, or since the start; 0 for none.
  int64_t slept_ns() {
    const int64_t now_ns = suspended_ns_();
    const int64_t slept = now_ns - last_ns_;
    if (slept < kLeastNs) return 0;
    last_ns_ = now_ns;
    return slept;
  }

 private:
  std::function<int64_t()> suspended_ns_;
  int64_t last_ns_;
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SUSPEND_WATCH_H_
