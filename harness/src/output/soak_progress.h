// soak_progress.h - how a soak fares, on one line of a terminal.
//
// Purpose:    throughput, RSS, drift so far and the time left. The drift is a running least-squares slope
//             over all epochs so far, start-up included: for a person who waits, not a verdict.
// Invariants: its memory does not grow with the soak.
#ifndef HAKBENCH_OUTPUT_SOAK_PROGRESS_H_
#define HAKBENCH_OUTPUT_SOAK_PROGRESS_H_

#include <chrono>
#include <map>
#include <string>

#include "model/run_observer.h"
#include "output/terminal_line.h"

namespace hakbench {

// The slope of y over x by least squares, from running sums.
class RunningSlope {
 public:
  void add(double x, double y);
  Real slope() const;  // empty below three points, or without a spread in x

 private:
  double count_ = 0;
  double mean_x_ = 0;
  double mean_y_ = 0;
  double spread_xx_ = 0;
  double spread_xy_ = 0;
};

class SoakProgress : public RunObserver {
 public:
  SoakProgress();

  void on_plan(const RunPlan &plan) override;
  void on_epoch(const Epoch &epoch) override;
  void on_latency(const LatencyEpoch &latency) override;
  void on_event(const Event &event) override;
  void on_facts(const nlohmann::json &facts) override;

 private:
  TerminalLine line_;
  std::chrono::steady_clock::time_point end_;
  int64_t done_ = 0;
  std::map<std::string, RunningSlope> drift_kb_per_s_;  // by subject
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_SOAK_PROGRESS_H_
