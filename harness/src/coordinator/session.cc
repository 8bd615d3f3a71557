#include "coordinator/session.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "coordinator/calibrate.h"
#include "coordinator/cpus.h"
#include "coordinator/epoch_runner.h"
#include "coordinator/interrupt.h"
#include "coordinator/proc_sampler.h"
#include "coordinator/schedule.h"
#include "coordinator/subject_process.h"
#include "model/installation.h"

namespace hakbench {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr char kLatencyKind[] = "latency";
// What reading the clock twice and counting cost at most, for the timeout.
constexpr double kProbeSecondsPerOp = 500e-9;
constexpr std::chrono::seconds kLoadTimeout{60};
constexpr std::chrono::seconds kCheckTimeout{120};
constexpr std::chrono::milliseconds kSleepTimeout{1000};

class Session {
 public:
  Session(const RunConfig &config, RunObserver *observer) : config_(config), observer_(observer) {}

  void run() {
    calibrate();
    announce();
    for (uint32_t launch = config_.first_launch; launch < config_.launches; ++launch)
      run_launch(launch);
  }

 private:
  // A subject process of the launch under way.
  struct Turn {
    const SubjectConfig *config = nullptr;
    std::unique_ptr<SubjectProcess> process;
    int64_t launch = 0;
    int64_t next_epoch = 0;
    Integer rss_base_kb;
  };

  bool paired() const { return config_.subjects.size() > 1; }

  void event(const Turn *turn, const std::string &name, const std::string &detail) {
    Event e;
    if (turn != nullptr) {
      e.subject = turn->config->label;
      e.launch = turn->launch;
    }
    e.event = name;
    e.detail = detail;
    observer_->on_event(e);
  }

  // Runs `work` for a subject; if the subject fails, records it and names allocator, launch, epoch.
  template <typename Work>
  auto blame(const Turn &turn, const std::string &where, Work work) {
    try {
      return work();
    } catch (const SubjectFailure &failure) {
      const std::string name = turn.config->plugin.name;
      std::string line = "allocator " + name + " (subject " + turn.config->label + "), launch " +
                         std::to_string(turn.launch) + ", " + where + ": " + failure.what();
      event(&turn, failure.event, line);
      if (failure.event != "refused")
        line += "; look with: hakbench check " + turn.config->plugin.path;
      throw Error(line);
    }
  }

  // Generous on purpose: a slow allocator is a result, only a stuck one is a failure.
  std::chrono::nanoseconds timeout_for(double expected_s) const {
    const Seconds timeout(config_.grace_s + 20 * expected_s);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
  }

  void calibrate();
  void announce();
  Turn start(const SubjectConfig &subject, int64_t launch);
  void note_facts(const Turn &turn);
  void warm_up(Turn *turn);
  void run_launch(uint32_t launch);
  void run_block(std::vector<Turn> *turns, const Block &block, int64_t number);
  Epoch run_epoch(Turn *turn, const char *kind, const Block *block, Integer number, Integer slot);
  void run_latency_epoch(Turn *turn);
  bool is_noisy(const Epoch &epoch) const;

  const RunConfig &config_;
  RunObserver *observer_;
  uint64_t ops_ = 0;  // of an epoch, over all workers
  double expected_epoch_s_ = 0;
  int64_t next_seq_ = config_.first_seq;
  nlohmann::json subject_facts_ = nlohmann::json::array();
};

void Session::calibrate() {
  const uint32_t threads = config_.workload.threads;
  if (config_.ops) {
    ops_ = std::max<uint64_t>(1, *config_.ops / threads) * threads;
    // Without a calibration nothing is known about the speed; a microsecond an op is slow for all.
    expected_epoch_s_ = static_cast<double>(ops_) * 1e-6;
    return;
  }
  const auto reference =
      std::find_if(config_.subjects.begin(), config_.subjects.end(),
                   [&](const SubjectConfig &s) { return s.label == config_.reference; });
  Turn turn = start(*reference, 0);
  expected_epoch_s_ = config_.epoch_s;
  blame(turn, "calibration", [&] {
    ops_ = calibrate_ops(config_.epoch_s, threads, [&](uint64_t ops) {
      return time_epoch(turn.process.get(), ops, timeout_for(config_.epoch_s));
    });
    turn.process->shut_down();
  });
  event(&turn, "calibration", "ops_per_epoch=" + std::to_string(ops_));
}

void Session::announce() {
  const int64_t per_launch = paired() ? config_.blocks * 2 : config_.blocks;
  RunPlan plan;
  plan.epochs = (static_cast<int64_t>(config_.launches) - config_.first_launch) *
                static_cast<int64_t>(config_.subjects.size()) *
                (config_.warmup_epochs + per_launch + config_.latency_epochs);
  plan.expected_seconds = static_cast<double>(plan.epochs) * config_.epoch_s;
  nlohmann::json facts;
  facts["ops_per_epoch"] = ops_;
  char hash[17];
  snprintf(hash, sizeof hash, "%016llx",
           static_cast<unsigned long long>(
               op_stream_hash(config_.workload, ops_ / config_.workload.threads)));
  facts["op_stream_hash"] = hash;
  facts["prefault_ops"] = config_.prefault_ops.value_or(ops_ / 10);
  observer_->on_facts(facts);
  observer_->on_plan(plan);
}

Session::Turn Session::start(const SubjectConfig &subject, int64_t launch) {
  Turn turn;
  turn.config = &subject;
  turn.launch = launch;
  blame(turn, "start", [&] {
    turn.process = std::make_unique<SubjectProcess>(subject, config_.workload, config_.cpus,
                                                    config_.latency_epochs > 0);
    wait_until_asleep(turn.process->pid(), kSleepTimeout);
    turn.rss_base_kb = sample_memory(turn.process->pid()).rss_kb;
    turn.process->execute(CommandKind::kLoad, 0, kLoadTimeout);
  });
  return turn;
}

void Session::note_facts(const Turn &turn) {
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

void Session::warm_up(Turn *turn) {
  const uint64_t prefault = config_.prefault_ops.value_or(ops_ / 10) / config_.workload.threads;
  if (prefault > 0) {
    const double share =
        static_cast<double>(prefault * config_.workload.threads) / static_cast<double>(ops_);
    blame(*turn, "prefault", [&] {
      turn->process->execute(CommandKind::kPrefault, prefault,
                             timeout_for(expected_epoch_s_ * share));
    });
  }
  for (uint32_t i = 0; i < config_.warmup_epochs; ++i) run_epoch(turn, "warmup", nullptr, {}, {});
}

void Session::run_launch(uint32_t launch) {
  const auto subjects = static_cast<uint32_t>(config_.subjects.size());
  const std::vector<Block> blocks =
      schedule_launch(config_.schedule_seed, launch, config_.blocks, subjects);
  std::vector<Turn> turns(subjects);
  // Who is started first is drawn too: the first half of the first block.
  for (uint32_t i = 0; i < subjects; ++i) {
    const uint32_t subject = blocks.front().turns[i];
    turns[subject] = start(config_.subjects[subject], launch);
    event(&turns[subject], "launch", "pid=" + std::to_string(turns[subject].process->pid()));
  }
  for (const Turn &turn : turns)
    if (launch == 0) note_facts(turn);
  for (uint32_t i = 0; i < subjects; ++i) warm_up(&turns[blocks.front().turns[i]]);
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    if (paired()) {
      run_block(&turns, blocks[i], static_cast<int64_t>(launch) * config_.blocks + i);
    } else {
      run_epoch(&turns[0], "throughput", nullptr, {}, {});
    }
  }
  for (uint32_t epoch = 0; epoch < config_.latency_epochs; ++epoch)
    for (uint32_t i = 0; i < subjects; ++i) run_latency_epoch(&turns[blocks.front().turns[i]]);
  for (const Turn &turn : turns) blame(turn, "end", [&] { turn.process->shut_down(); });
}

void Session::run_block(std::vector<Turn> *turns, const Block &block, int64_t number) {
  std::string noisy;
  for (size_t slot = 0; slot < block.turns.size(); ++slot) {
    const Epoch epoch = run_epoch(&(*turns)[block.turns[slot]], "throughput", &block, number,
                                  static_cast<int64_t>(slot));
    if (epoch.quarantined == 1) noisy += (noisy.empty() ? "" : ",") + std::to_string(slot);
  }
  if (noisy.empty()) return;
  Event e;
  e.launch = turns->front().launch;
  e.event = "quarantine";
  e.detail = "block=" + std::to_string(number) + " slots=" + noisy;
  observer_->on_event(e);
}

Epoch Session::run_epoch(Turn *turn, const char *kind, const Block *block, Integer number,
                         Integer slot) {
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
  epoch.block = number;
  epoch.slot = slot;
  if (block != nullptr) epoch.order = block->order;
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
  epoch.quarantined = is_noisy(epoch) ? 1 : 0;
  observer_->on_epoch(epoch);
  return epoch;
}

// The same ops as in every epoch, each timed by itself; the epoch takes longer by the probe's cost.
void Session::run_latency_epoch(Turn *turn) {
  const Epoch epoch = run_epoch(turn, kLatencyKind, nullptr, {}, {});
  LatencyEpoch latency;
  latency.seq = *epoch.seq;
  latency.subject = epoch.subject;
  latency.launch = *epoch.launch;
  latency.buckets = blame(*turn, "service times of epoch " + std::to_string(*epoch.epoch),
                          [&] { return fetch_latency(turn->process.get()); });
  observer_->on_latency(latency);
}

bool Session::is_noisy(const Epoch &epoch) const {
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

}  // namespace

void run_session(const RunConfig &config, RunObserver *observer) {
  Session(config, observer).run();
}

void check_subjects(const RunConfig &config) {
  std::set<std::string> checked;
  for (const SubjectConfig &subject : config.subjects) {
    if (!checked.insert(subject.plugin.path + subject.init_json).second) continue;
    const CheckReport report = check_in_subject(subject, config.cpus);
    if (!subject.sha256.empty() && report.sha256 != subject.sha256)
      throw Error("allocator " + subject.plugin.name + " (" + subject.plugin.path +
                  ") is no longer the library that the run began with (its SHA-256 differs); bring "
                  "that one back, or start a new run");
    for (const CheckLine &line : report.lines) {
      if (line.ok) continue;
      throw Error("allocator " + subject.plugin.name + " failed the check '" + line.name +
                  "': " + line.detail + "; nothing was timed; look with: hakbench check " +
                  subject.plugin.path);
    }
  }
}

CheckReport check_in_subject(const SubjectConfig &subject, const std::vector<int> &cpus) {
  WorkloadConfig no_workload;
  no_workload.threads = 1;
  SubjectProcess process(subject, no_workload, cpus);
  CheckReport report;
  std::vector<CheckLine> &lines = report.lines;
  try {
    process.execute(CommandKind::kCheck, 0, kCheckTimeout);
    report.sha256 = process.control().facts.sha256;
    std::istringstream text(process.control().text);
    for (std::string line; std::getline(text, line);) {
      const size_t name_end = line.find('\t');
      const size_t state_end = line.find('\t', name_end + 1);
      if (state_end == std::string::npos) continue;
      const std::string state = line.substr(name_end + 1, state_end - name_end - 1);
      lines.push_back({line.substr(0, name_end), state == "ok", line.substr(state_end + 1)});
    }
    process.shut_down();
  } catch (const SubjectFailure &failure) {
    if (failure.event == "refused")
      throw Error("allocator " + subject.plugin.name + ": " + failure.what());
    const std::string during = process.control().check_name;
    lines.push_back({during.empty() ? "load" : during, false, failure.what()});
  }
  return report;
}

}  // namespace hakbench
