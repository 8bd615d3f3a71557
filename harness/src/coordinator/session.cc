#include "coordinator/session.h"

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <tuple>

#include "coordinator/schedule.h"
#include "coordinator/turn_runner.h"
#include "model/error.h"
#include "subject/plugin_loader.h"

namespace hakbench {
namespace {

constexpr std::chrono::seconds kCheckTimeout{120};

class Session {
 public:
  Session(const RunConfig &config, RunObserver *observer)
      : config_(config), observer_(observer), runner_(config, observer) {}

  void run() {
    runner_.calibrate();
    announce();
    for (uint32_t launch = config_.first_launch; launch < config_.launches; ++launch)
      run_launch(launch);
  }

 private:
  bool paired() const { return config_.subjects.size() > 1; }
  void announce();
  void run_launch(uint32_t launch);
  void run_block(std::vector<Turn> *turns, const Block &block, int64_t number);

  const RunConfig &config_;
  RunObserver *observer_;
  TurnRunner runner_;
};

void Session::announce() {
  const int64_t per_launch = paired() ? config_.blocks * 2 : config_.blocks;
  RunPlan plan;
  const int64_t processes = (static_cast<int64_t>(config_.launches) - config_.first_launch) *
                            static_cast<int64_t>(config_.subjects.size());
  plan.epochs = processes * (config_.warmup_epochs + per_launch + config_.latency_epochs);
  plan.latency_epochs = processes * config_.latency_epochs;
  plan.expected_seconds = static_cast<double>(*plan.epochs) * config_.epoch_s;
  observer_->on_plan(plan);
}

void Session::run_launch(uint32_t launch) {
  const auto subjects = static_cast<uint32_t>(config_.subjects.size());
  const std::vector<Block> blocks =
      schedule_launch(config_.schedule_seed, launch, config_.blocks, subjects);
  std::vector<Turn> turns(subjects);
  // Who is started first is drawn too: the first half of the first block.
  for (uint32_t i = 0; i < subjects; ++i) {
    const uint32_t subject = blocks.front().turns[i];
    turns[subject] = runner_.start(config_.subjects[subject], launch);
    runner_.event(&turns[subject], "launch",
                  "pid=" + std::to_string(turns[subject].process->pid()));
  }
  for (const Turn &turn : turns)
    if (launch == 0) runner_.note_facts(turn);
  for (uint32_t i = 0; i < subjects; ++i) runner_.warm_up(&turns[blocks.front().turns[i]]);
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    if (paired()) {
      run_block(&turns, blocks[i], static_cast<int64_t>(launch) * config_.blocks + i);
    } else {
      runner_.run_epoch(&turns[0], "throughput", {});
    }
  }
  for (uint32_t epoch = 0; epoch < config_.latency_epochs; ++epoch)
    for (uint32_t i = 0; i < subjects; ++i)
      runner_.run_latency_epoch(&turns[blocks.front().turns[i]]);
  for (const Turn &turn : turns) runner_.shut_down(turn);
}

void Session::run_block(std::vector<Turn> *turns, const Block &block, int64_t number) {
  std::string noisy;
  for (size_t slot = 0; slot < block.turns.size(); ++slot) {
    const Epoch epoch = runner_.run_epoch(&(*turns)[block.turns[slot]], "throughput",
                                          Place{number, static_cast<int64_t>(slot), block.order});
    if (epoch.quarantined == 1) noisy += (noisy.empty() ? "" : ",") + std::to_string(slot);
  }
  if (noisy.empty()) return;
  Event e;
  e.launch = turns->front().launch;
  e.event = "quarantine";
  e.detail = "block=" + std::to_string(number) + " slots=" + noisy;
  observer_->on_event(e);
}

bool is_refused(const SubjectConfig &subject, const std::vector<int> &cpus) {
  try {
    check_in_subject(subject, cpus);
    return false;
  } catch (const Error &) {
    return true;
  }
}

// " for it: --init a:NAME=VALUE" if another subject was given the same and takes it: settings without a
// label are for all. Else empty.
std::string who_takes_them(const RunConfig &config, const SubjectConfig &refused) {
  using nlohmann::json;
  const json settings = json::parse(refused.init_json);
  std::string words;
  for (const SubjectConfig &other : config.subjects) {
    const json others = json::parse(other.init_json);
    std::string of_other;
    for (const auto &[name, value] : settings.items())
      if (others.contains(name) && others[name] == value)
        of_other += " --init " + other.label + ":" + name + "=" +
                    (value.is_string() ? value.get<std::string>() : value.dump());
    if (!of_other.empty() && !is_refused(other, config.cpus)) words += of_other;
  }
  return words.empty() ? "" : " for it:" + words;
}

CheckReport check_or_say_who(const RunConfig &config, const SubjectConfig &subject) {
  try {
    return check_in_subject(subject, config.cpus);
  } catch (const Error &error) {
    const std::string why = error.what();
    if (why.find(kTakesNoSettings) == std::string::npos) throw;
    throw Error(why + who_takes_them(config, subject));
  }
}

}  // namespace

void run_session(const RunConfig &config, RunObserver *observer) {
  Session(config, observer).run();
}

void check_subjects(const RunConfig &config) {
  std::set<std::tuple<std::string, std::string, std::map<std::string, std::string>>> checked;
  for (const SubjectConfig &subject : config.subjects) {
    if (!checked.emplace(subject.plugin.path, subject.init_json, subject.env).second) continue;
    const CheckReport report = check_or_say_who(config, subject);
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
    report.name = process.control().facts.name;
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
