// fan_out.h - several observers as one.
//
// Invariants: each is told in the order they were given: the result folder first, so that when a row
//             can't be written, nothing is shown as done.
#ifndef HAKBENCH_OUTPUT_FAN_OUT_H_
#define HAKBENCH_OUTPUT_FAN_OUT_H_

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "model/run_observer.h"

namespace hakbench {

class FanOut : public RunObserver {
 public:
  explicit FanOut(std::vector<RunObserver *> observers) : observers_(std::move(observers)) {}

  void on_plan(const RunPlan &plan) override {
    for (RunObserver *o : observers_) o->on_plan(plan);
  }
  void on_epoch(const Epoch &epoch) override {
    for (RunObserver *o : observers_) o->on_epoch(epoch);
  }
  void on_latency(const LatencyEpoch &latency) override {
    for (RunObserver *o : observers_) o->on_latency(latency);
  }
  void on_idle(const IdleEpoch &idle) override {
    for (RunObserver *o : observers_) o->on_idle(idle);
  }
  void on_event(const Event &event) override {
    for (RunObserver *o : observers_) o->on_event(event);
  }
  void on_facts(const nlohmann::json &facts) override {
    for (RunObserver *o : observers_) o->on_facts(facts);
  }

 private:
  std::vector<RunObserver *> observers_;
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_FAN_OUT_H_
