// time_left.h - how long a run will still take, by what its epochs took so far.
//
// Invariants: latency epochs, which time each operation, take several times as long as the others and come
//             last in each launch: the two kinds have means of their own. What goes between epochs
//             (launches, samples) belongs to the next one.
#ifndef HAKBENCH_OUTPUT_TIME_LEFT_H_
#define HAKBENCH_OUTPUT_TIME_LEFT_H_

#include <cstdint>

namespace hakbench {

class TimeLeft {
 public:
  TimeLeft() = default;
  // Of `epochs` so many are latency epochs.
  TimeLeft(int64_t epochs, int64_t latency_epochs)
      : plain_{epochs - latency_epochs}, latency_{latency_epochs} {}

  void took(bool latency, double seconds);
  double seconds() const;
  // No latency epoch has been measured yet, and there will be some: it can't be less.
  bool is_at_least() const { return latency_.left > 0 && latency_.done == 0; }

 private:
  struct Kind {
    int64_t left = 0;
    int64_t done = 0;
    double total_s = 0;
    double mean_s() const { return done == 0 ? 0 : total_s / static_cast<double>(done); }
  };
  Kind plain_;
  Kind latency_;
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_TIME_LEFT_H_
