#include "output/soak_progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace hakbench {

using Clock = std::chrono::steady_clock;

// Welford's update: no large sums are subtracted from each other.
void RunningSlope::add(double x, double y) {
  ++count_;
  const double from_mean = x - mean_x_;
  mean_x_ += from_mean / count_;
  mean_y_ += (y - mean_y_) / count_;
  spread_xx_ += from_mean * (x - mean_x_);
  spread_xy_ += from_mean * (y - mean_y_);
}

Real RunningSlope::slope() const {
  if (count_ < 3 || spread_xx_ <= 0) return {};
  return spread_xy_ / spread_xx_;
}

SoakProgress::SoakProgress() { line_.show("calibrating the epoch ..."); }

void SoakProgress::on_plan(const RunPlan &plan) {
  end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(plan.expected_seconds));
}

void SoakProgress::on_epoch(const Epoch &epoch) {
  ++done_;
  std::string text = fmt::format("epoch {}, {} {:.1f} M ops/s", done_, line_.bold(epoch.allocator),
                                 *epoch.ops_per_s / 1e6);
  if (epoch.rss_above_base_kb) text += fmt::format(", RSS +{} kB", *epoch.rss_above_base_kb);
  RunningSlope &slope = drift_kb_per_s_[epoch.subject];
  if (epoch.kind == "throughput" && epoch.rss_kb)
    slope.add(static_cast<double>(*epoch.start_ns) / 1e9, static_cast<double>(*epoch.rss_kb));
  if (const Real kb_per_s = slope.slope())
    text += fmt::format(", drift so far {:+.0f} kB/h", *kb_per_s * 3600);
  const double left_s = std::chrono::duration<double>(end_ - Clock::now()).count();
  line_.show(text + ", " + clock_text(left_s) + " left");
}

void SoakProgress::on_latency(const LatencyEpoch &) {}
void SoakProgress::on_event(const Event &event) {
  if (event.event == kWarningEvent) line_.warn(event.detail);
}
void SoakProgress::on_facts(const nlohmann::json &) {}

}  // namespace hakbench
