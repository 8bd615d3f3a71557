// run_observer.h - how the coordinator tells the world what it measured.
//
// Purpose:    keeps the coordinator free of files and terminals: it measures, others write.
// Boundary:   coordinator/ calls, output/ implements, cli/ joins the two.
// Invariants: on_epoch is called the moment an epoch ends and has persisted it when it returns; if it
//             cannot, it throws Error and the run stops.
// Threads:    called from the coordinator's only thread.
#ifndef HAKBENCH_MODEL_RUN_OBSERVER_H_
#define HAKBENCH_MODEL_RUN_OBSERVER_H_

#include <nlohmann/json_fwd.hpp>

#include "model/epoch.h"
#include "model/idle.h"
#include "model/latency.h"

namespace hakbench {

// What a run will do once its calibration is known.
struct RunPlan {
  Integer epochs;  // all that will be recorded, warm-up included; a soak goes by the clock
  int64_t latency_epochs = 0;  // of them
  double expected_seconds =
      0;  // of the timed parts together; of a soak, what is left of its duration
};

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_plan(const RunPlan &plan) = 0;
  virtual void on_epoch(const Epoch &epoch) = 0;
  // After the on_epoch of the same epoch; persisted when it returns, like it.
  virtual void on_latency(const LatencyEpoch &latency) = 0;
  // After the on_epoch of the same epoch, in a ratchet soak; persisted when it returns, too.
  virtual void on_idle(const IdleEpoch &) {}
  virtual void on_event(const Event &event) = 0;
  // Facts that become known while the run goes on (calibrated ops, plugin hashes), for the manifest:
  // an object that is merged over what is known.
  virtual void on_facts(const nlohmann::json &facts) = 0;
};

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_RUN_OBSERVER_H_
