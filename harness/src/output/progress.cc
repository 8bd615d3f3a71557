#include "output/progress.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace hakbench {
namespace {

std::string minutes(double seconds) {
  const int64_t whole = std::llround(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress()
    : terminal_(isatty(STDERR_FILENO) == 1), colour_(getenv("NO_COLOR") == nullptr) {
  show("calibrating the epoch ...");
}

Progress::~Progress() { show(""); }

void Progress::show(const std::string &line) {
  if (terminal_) fmt::print(stderr, "\r\x1b[K{}", line);
}

void Progress::on_plan(const RunPlan &plan) {
  plan_ = plan;
  start_ = std::chrono::steady_clock::now();
}

// The remaining time follows what the epochs so far took, launches and samples included.
void Progress::on_epoch(const Epoch &epoch) {
  ++done_;
  const double elapsed_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto left = static_cast<double>(plan_.epochs - done_);
  const std::string allocator = colour_ ? "\x1b[1m" + epoch.allocator + "\x1b[0m" : epoch.allocator;
  show(fmt::format("epoch {} of {}, launch {}, {} {:.1f} M ops/s, about {} left", done_,
                   plan_.epochs, *epoch.launch, allocator, *epoch.ops_per_s / 1e6,
                   minutes(elapsed_s / static_cast<double>(done_) * left)));
}

void Progress::on_latency(const LatencyEpoch &) {}
void Progress::on_event(const Event &) {}
void Progress::on_facts(const nlohmann::json &) {}

}  // namespace hakbench
