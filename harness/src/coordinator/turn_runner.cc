#include "coordinator/turn_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "coordinator/calibrate.h"
#include "coordinator/cpus.h"
#include "coordinator/epoch_runner.h"
#include "coordinator/interrupt.h"
#include "coordinator/proc_sampler.h"
#include "model/installation.h"

namespace hakbench {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr char kLatencyKind[] = "latency";
// Where a subject is when its time is not the workload's, so that --timeout does not lengthen it.
constexpr char kAtStart[] = "start";
constexpr char kAtEnd[] = "end";
// What reading the clock twice and counting cost at most, for the timeout.
constexpr double kProbeSecondsPerOp = 500e-9;
constexpr std::chrono::seconds kLoadTimeout{60};
// All subjects run the operations that the reference was calibrated with. One that is so many times as
// slow makes hours of a run of minutes, which is worth a word while it can still be stopped.
constexpr double kMuchSlower = 5;
constexpr std::chrono::milliseconds kSleepTimeout{1000};

// Epochs are alike if each is a whole number of the workload's periods, and shared evenly.
uint64_t epoch_unit(const WorkloadConfig &workload) {
  const uint64_t period_ops = workload_period_ops(workload);
  return period_ops == 0 ? workload.threads : std::lcm(period_ops, uint64_t{workload.threads});
}

}  // namespace

void TurnRunner::event(const Turn *turn, const std::string &name, const std::string &detail) {
  Event e;
  if (turn != nullptr) {
    e.subject = turn->config->label;
    e.launch = turn->launch;
  }
  e.event = name;
  e.detail = detail;
  observer_->on_event(e);
}

std::string TurnRunner::record_failure(const Turn &turn, const std::string &where,
                                       const SubjectFailure &failure) {
  const std::string name = turn.config->plugin.name;
  std::string line = "allocator " + name + " (subject " + turn.config->label + "), launch " +
                     std::to_string(turn.launch) + ", " + where + ": " + failure.what();
  event(&turn, failure.event, line);
  if (failure.event == "hang" && where != kAtStart && where != kAtEnd)
    line += "; if it is slow and not stuck, give it longer with --timeout";
  if (failure.event != "refused") line += "; look with: hakbench check " + turn.config->plugin.path;
  return line;
}

// Generous on purpose: a slow allocator is a result, only a stuck one is a failure.
std::chrono::nanoseconds TurnRunner::timeout_for(double expected_s) const {
  const Seconds timeout(config_.grace_s + 20 * expected_s);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
}

void TurnRunner::calibrate() {
  const uint32_t threads = config_.workload.threads;
  if (config_.ops) {
    ops_ = std::max<uint64_t>(1, *config_.ops / threads) * threads;
    // Without a calibration nothing is known about the speed, but that of a run that goes on: its epochs
    // are as long as they were to be. A microsecond an op is slow for most workloads.
    expected_epoch_s_ = std::max(config_.epoch_s, static_cast<double>(ops_) * 1e-6);
    report_facts();
    return;
  }
  const auto reference =
      std::find_if(config_.subjects.begin(), config_.subjects.end(),
                   [&](const SubjectConfig &s) { return s.label == config_.reference; });
  Turn turn = start(*reference, 0);
  expected_epoch_s_ = config_.epoch_s;
  blame(turn, "calibration", [&] {
    ops_ = calibrate_ops(config_.epoch_s, epoch_unit(config_.workload), [&](uint64_t ops) {
      return time_epoch(turn.process.get(), ops, timeout_for(config_.epoch_s));
    });
    turn.process->shut_down();
  });
  event(&turn, "calibration", "ops_per_epoch=" + std::to_string(ops_));
  report_facts();
}

void TurnRunner::warn_if_slow(const Turn &turn, const Epoch &epoch) {
  if (config_.ops || turn.config->label == config_.reference) return;
  if (turn.launch != config_.first_launch || epoch.epoch != 0 || epoch.quarantined == 1) return;
  const double took_s = static_cast<double>(*epoch.elapsed_ns) / 1e9;
  if (took_s < kMuchSlower * config_.epoch_s) return;
  event(
      &turn, kWarningEvent,
      fmt::format(
          "allocator {} (subject {}) takes {:.3g} s for an epoch that was to take {:.3g} s, as it "
          "does with the reference: its turns may all be so long; shorten --epoch, or "
          "calibrate on it with --reference {}",
          turn.config->plugin.name, turn.config->label, took_s, config_.epoch_s,
          turn.config->label));
}

void TurnRunner::report_facts() {
  const uint64_t hash = op_stream_hash(config_.workload, ops_ / config_.workload.threads);
  observer_->on_facts({{"ops_per_epoch", ops_},
                       {"op_stream_hash", fmt::format("{:016x}", hash)},
                       {"prefault_ops", config_.prefault_ops.value_or(ops_ / 10)}});
}

Turn TurnRunner::start(const SubjectConfig &subject, int64_t launch) {
  Turn turn;
  turn.config = &subject;
  turn.launch = launch;
  blame(turn, kAtStart, [&] {
    turn.process = std::make_unique<SubjectProcess>(subject, config_.workload, config_.cpus,
                                                    config_.latency_epochs > 0);
    wait_until_asleep(turn.process->pid(), kSleepTimeout);
    turn.rss_base_kb = sample_memory(turn.process->pid()).rss_kb;
    turn.process->execute(CommandKind::kLoad, 0, kLoadTimeout);
  });
  return turn;
}

void TurnRunner::note_facts(const Turn &turn) {
  const PluginFacts &facts = turn.process->control().facts;
  subject_facts_.push_back({{"label", turn.config->label},
                            {"allocator", turn.config->plugin.name},
                            {"name", facts.name},
                            {"version", facts.version},
                            {"path", relative_to_installation(turn.config->plugin.path)},
                            {"library_path", relative_to_installation(facts.library_path)},
                            {"sha256", facts.sha256},
                            {"build_id", facts.build_id},
                            {"build_config", facts.build_config},
                            {"link_kind", facts.link_kind},
                            {"generic", facts.generic},
                            {"env", turn.config->env},
                            {"init", nlohmann::json::parse(turn.config->init_json)}});
  observer_->on_facts({{"subjects", subject_facts_}});
  if (config_.latency_epochs > 0)
    observer_->on_facts({{"latency_clock", turn.process->control().latency.clock}});
}

void TurnRunner::warm_up(Turn *turn) {
  const uint64_t prefault = config_.prefault_ops.value_or(ops_ / 10) / config_.workload.threads;
  if (prefault > 0) {
    const double share =
        static_cast<double>(prefault * config_.workload.threads) / static_cast<double>(ops_);
    blame(*turn, "prefault", [&] {
      turn->process->execute(CommandKind::kPrefault, prefault,
                             timeout_for(expected_epoch_s_ * share));
    });
  }
  for (uint32_t i = 0; i < config_.warmup_epochs; ++i) run_epoch(turn, "warmup", {});
}

void TurnRunner::shut_down(const Turn &turn) {
  blame(turn, kAtEnd, [&] { turn.process->shut_down(); });
}

Epoch TurnRunner::run_epoch(Turn *turn, const char *kind, const Place &place,
                            const std::function<void(Epoch *)> &after) {
  Epoch epoch = blame(*turn, "epoch " + std::to_string(turn->next_epoch), [&] {
    const bool timed = std::string_view(kind) == kLatencyKind;
    const double probe_s = timed ? static_cast<double>(ops_) * kProbeSecondsPerOp : 0;
    return measure_epoch(turn->process.get(), timed ? CommandKind::kTimedRun : CommandKind::kRun,
                         ops_, config_.cpus, timeout_for(expected_epoch_s_ + probe_s));
  });
  epoch.seq = next_seq_++;
  epoch.subject = turn->config->label;
  epoch.allocator = turn->config->plugin.name;
  epoch.launch = turn->launch;
  epoch.block = place.block;
  epoch.slot = place.slot;
  epoch.order = place.order;
  epoch.epoch = turn->next_epoch++;
  epoch.kind = kind;
  epoch.workload = config_.workload.name;
  epoch.threads = config_.workload.threads;
  epoch.cpu = format_cpu_list(config_.cpus);
  epoch.rss_base_kb = turn->rss_base_kb;
  if (turn->rss_base_kb && epoch.rss_kb)
    epoch.rss_above_base_kb = *epoch.rss_kb - *turn->rss_base_kb;
  if (turn->rss_base_kb && epoch.peak_rss_kb)
    epoch.peak_rss_above_base_kb = *epoch.peak_rss_kb - *turn->rss_base_kb;
  if (after) after(&epoch);
  epoch.harness_rss_kb = own_rss_kb();
  const int64_t slept_ns = suspend_watch_.slept_ns();
  const int continued = times_continued();
  const bool was_stopped = continued != std::exchange(continued_, continued);
  epoch.quarantined = slept_ns > 0 || was_stopped || is_noisy(epoch) ? 1 : 0;
  observer_->on_epoch(epoch);
  warn_if_slow(*turn, epoch);
  if (slept_ns > 0)
    event(turn, "suspended",
          fmt::format("seq={} slept_s={:.1f}", *epoch.seq, static_cast<double>(slept_ns) / 1e9));
  if (was_stopped) event(turn, "stopped", fmt::format("seq={}", *epoch.seq));
  return epoch;
}

void TurnRunner::run_latency_epoch(Turn *turn) {
  const Epoch epoch = run_epoch(turn, kLatencyKind, {});
  LatencyEpoch latency = blame(*turn, "service times of epoch " + std::to_string(*epoch.epoch),
                               [&] { return fetch_latency(turn->process.get()); });
  latency.seq = *epoch.seq;
  latency.subject = epoch.subject;
  latency.launch = *epoch.launch;
  for (Exemplar &exemplar : latency.exemplars) {
    exemplar.seq = epoch.seq;
    exemplar.subject = epoch.subject;
    exemplar.launch = epoch.launch;
  }
  observer_->on_latency(latency);
}

bool TurnRunner::is_noisy(const Epoch &epoch) const {
  const auto elapsed_ns = static_cast<double>(*epoch.elapsed_ns);
  const auto cpus = static_cast<double>(config_.cpus.size());
  const auto threads = static_cast<double>(config_.workload.threads);
  const auto over = [](Integer value, double unit, const std::optional<double> &limit) {
    return value && limit && static_cast<double>(*value) / unit > *limit;
  };
  return over(epoch.involuntary_switches, elapsed_ns / 1e9,
              config_.noise.involuntary_switches_per_s) ||
         over(epoch.steal_ns, elapsed_ns * cpus, config_.noise.steal_share) ||
         over(epoch.run_delay_ns, elapsed_ns * threads, config_.noise.run_delay_share);
}

}  // namespace hakbench
