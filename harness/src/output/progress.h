// progress.h - how far a run is, on one line of a terminal.
//
// Boundary:   a RunObserver that writes to stderr, and only if that is a terminal; silent otherwise.
//             NO_COLOR (any value) switches the colour off.
#ifndef HAKBENCH_OUTPUT_PROGRESS_H_
#define HAKBENCH_OUTPUT_PROGRESS_H_

#include <chrono>

#include "model/run_observer.h"

namespace hakbench {

class Progress : public RunObserver {
 public:
  Progress();
  ~Progress() override;  // clears the line

  void on_plan(const RunPlan &plan) override;
  void on_epoch(const Epoch &epoch) override;
  void on_latency(const LatencyEpoch &latency) override;
  void on_event(const Event &event) override;
  void on_facts(const nlohmann::json &facts) override;

 private:
  void show(const std::string &line);

  bool terminal_;
  bool colour_;
  RunPlan plan_;
  int64_t done_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_PROGRESS_H_
