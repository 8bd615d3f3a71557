#include "output/progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace hakbench {

Progress::Progress() { line_.show("calibrating the epoch ..."); }

void Progress::on_plan(const RunPlan &plan) {
  planned_ = plan.epochs.value_or(0);
  left_ = TimeLeft(planned_, plan.latency_epochs);
  last_ = std::chrono::steady_clock::now();
}

void Progress::on_epoch(const Epoch &epoch) {
  ++done_;
  const auto now = std::chrono::steady_clock::now();
  left_.took(epoch.kind == "latency", std::chrono::duration<double>(now - last_).count());
  last_ = now;
  line_.show(fmt::format("epoch {} of {}, launch {}, {} {:.1f} M ops/s, {} {} left", done_,
                         planned_, *epoch.launch, line_.bold(epoch.allocator),
                         *epoch.ops_per_s / 1e6, left_.is_at_least() ? "at least" : "about",
                         clock_text(left_.seconds())));
}

void Progress::on_latency(const LatencyEpoch &) {}
void Progress::on_event(const Event &event) {
  if (event.event == kWarningEvent) line_.warn(event.detail);
}
void Progress::on_facts(const nlohmann::json &) {}

}  // namespace hakbench
