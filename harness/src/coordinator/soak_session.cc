#include "coordinator/soak_session.h"

#include <chrono>
#include <cmath>

#include "coordinator/interrupt.h"
#include "coordinator/proc_sampler.h"
#include "coordinator/schedule.h"
#include "coordinator/soak_modes.h"
#include "coordinator/turn_runner.h"

namespace hakbench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds kDrainTimeout{600};
constexpr std::chrono::milliseconds kSleepTimeout{1000};
// Samples of an idle phase: one at once, then spaced evenly on a log scale over three decades.
constexpr int kIdleSamples = 20;
constexpr double kIdleDecades = 3;

// When sample `i`, from 1, is taken; the last one at the end.
double sample_time_s(int i, double idle_s) {
  const double share = static_cast<double>(kIdleSamples - 1 - i) / (kIdleSamples - 2);
  return idle_s * std::pow(10.0, -kIdleDecades * share);
}

class SoakSession {
 public:
  SoakSession(const RunConfig &config, RunObserver *observer)
      : config_(config),
        soak_(*config.soak),
        drains_(find_soak_mode(soak_.mode).drains),
        observer_(observer),
        runner_(config, observer) {}

  void run() {
    runner_.calibrate();
    observer_->on_plan({.epochs = {}, .expected_seconds = soak_.duration_s - config_.soaked_s});
    start_ = Clock::now();
    start_subjects();
    const SoakRotation rotation = rotation_of(config_);
    for (uint64_t number = 0; number < rotation.round() || !time_is_up(); ++number)
      give_turn(&turns_[rotation.subject(number)]);
    for (const Turn &turn : turns_) runner_.shut_down(turn);
  }

 private:
  static SoakRotation rotation_of(const RunConfig &config) {
    const auto subjects = static_cast<uint32_t>(config.subjects.size());
    return {subjects, config.soak->beside.empty() ? 0 : config.soak->beside_every};
  }

  bool time_is_up() const {
    return config_.soaked_s + Seconds(Clock::now() - start_).count() >= soak_.duration_s;
  }

  void start_subjects() {
    for (const SubjectConfig &subject : config_.subjects) {
      turns_.push_back(runner_.start(subject, config_.first_launch));
      runner_.event(&turns_.back(), "launch",
                    "pid=" + std::to_string(turns_.back().process->pid()));
      if (config_.first_launch == 0) runner_.note_facts(turns_.back());
    }
    for (Turn &turn : turns_) runner_.warm_up(&turn);
  }

  void give_turn(Turn *turn) {
    if (!drains_) {
      runner_.run_epoch(turn, "throughput", {});
      return;
    }
    IdleEpoch idle;
    const Epoch epoch = runner_.run_epoch(turn, "throughput", {}, [&](Epoch *measured) {
      runner_.blame(*turn, "drain after epoch " + std::to_string(*measured->epoch),
                    [&] { idle.samples = drain_and_idle(turn->process.get(), measured); });
    });
    idle.seq = *epoch.seq;
    idle.subject = epoch.subject;
    idle.launch = *epoch.launch;
    idle.epoch = *epoch.epoch;
    observer_->on_idle(idle);
  }

  // Frees all that can be freed and takes what a fresh start would, then looks at the RSS of the
  // sleeping subject. A sample that the kernel does not give is left out.
  std::vector<IdleSample> drain_and_idle(SubjectProcess *process, Epoch *epoch) const {
    process->execute(CommandKind::kTearDown, 0, kDrainTimeout);
    process->execute(CommandKind::kSetUp, 0, kDrainTimeout);
    wait_until_asleep(process->pid(), kSleepTimeout);
    std::vector<IdleSample> samples;
    const Clock::time_point drained = Clock::now();
    const auto sample = [&] {
      const Integer rss_kb = sample_memory(process->pid()).rss_kb;
      if (rss_kb) samples.push_back({Seconds(Clock::now() - drained).count(), *rss_kb});
      return rss_kb;
    };
    epoch->drained_rss_kb = sample();
    for (int i = 1; i < kIdleSamples; ++i) {
      sleep_until(drained + std::chrono::duration_cast<Clock::duration>(
                                Seconds(sample_time_s(i, soak_.idle_s))));
      epoch->idle_rss_kb = sample();
    }
    return samples;
  }

  const RunConfig &config_;
  const SoakConfig &soak_;
  const bool drains_;
  RunObserver *observer_;
  TurnRunner runner_;
  Clock::time_point start_;
  std::vector<Turn> turns_;
};

}  // namespace

void run_soak(const RunConfig &config, RunObserver *observer) {
  SoakSession(config, observer).run();
}

}  // namespace hakbench
