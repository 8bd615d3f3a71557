#include "output/progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace hakbench {

Progress::Progress() { line_.show("calibrating the epoch ..."); }

void Progress::on_plan(const RunPlan &plan) {
  planned_ = plan.epochs.value_or(0);
  start_ = std::chrono::steady_clock::now();
}

// The remaining time follows what the epochs so far took, launches and samples included.
void Progress::on_epoch(const Epoch &epoch) {
  ++done_;
  const double elapsed_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto left = static_cast<double>(planned_ - done_);
  line_.show(fmt::format("epoch {} of {}, launch {}, {} {:.1f} M ops/s, about {} left", done_,
                         planned_, *epoch.launch, line_.bold(epoch.allocator),
                         *epoch.ops_per_s / 1e6,
                         clock_text(elapsed_s / static_cast<double>(done_) * left)));
}

void Progress::on_latency(const LatencyEpoch &) {}
void Progress::on_event(const Event &event) {
  if (event.event == kWarningEvent) line_.warn(event.detail);
}
void Progress::on_facts(const nlohmann::json &) {}

}  // namespace hakbench
