// progress.h - how far a run is, on one line of a terminal.
//
// Purpose:    epoch, launch, throughput and the time left, for a person who waits.
// Boundary:   a RunObserver; silent where there is no terminal, but for warnings (terminal_line.h).
// Invariants: its memory does not grow with the run.
#ifndef HAKBENCH_OUTPUT_PROGRESS_H_
#define HAKBENCH_OUTPUT_PROGRESS_H_

#include <chrono>

#include "model/run_observer.h"
#include "output/terminal_line.h"
#include "output/time_left.h"

namespace hakbench {

class Progress : public RunObserver {
 public:
  Progress();

  void on_plan(const RunPlan &plan) override;
  void on_epoch(const Epoch &epoch) override;
  void on_latency(const LatencyEpoch &latency) override;
  void on_event(const Event &event) override;
  void on_facts(const nlohmann::json &facts) override;

 private:
  TerminalLine line_;
  int64_t planned_ = 0;
  int64_t done_ = 0;
  TimeLeft left_;
  std::chrono::steady_clock::time_point last_;  // when the plan or the last epoch came
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_PROGRESS_H_
