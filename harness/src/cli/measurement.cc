// measurement.cc - see measurement.h.
#include "cli/measurement.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

#include "cli/build_commit.h"
#include "cli/locations.h"
#include "coordinator/allocator_environment.h"
#include "coordinator/child.h"
#include "coordinator/cpus.h"
#include "coordinator/doctor.h"
#include "coordinator/event_rings.h"
#include "coordinator/host.h"
#include "coordinator/interrupt.h"
#include "coordinator/kernel_counter.h"
#include "model/error.h"
#include "model/installation.h"
#include "model/text.h"

namespace hakbench {
namespace {

using nlohmann::json;

// The calibration and the launches that follow take seconds; this is not to be felt.
constexpr std::chrono::milliseconds kMachineSample{200};

// Of the build, not of where the sources are now: those may have moved on since.
json git_facts() {
  if (*kBuildCommit.commit == '\0') return json::object();
  return {{"commit", kBuildCommit.commit},
          {"branch", kBuildCommit.branch},
          {"dirty", kBuildCommit.dirty}};
}

json counter_facts(const CounterSource &counter) {
  return {{"source", counter.source}, {"reason", counter.reason}};
}

// Prints the summary that the analysis makes of the folder. Its failure does not make the
// measurement invalid, but must not pass silently either.
int show_summary(const std::string &folder) {
  const auto tool = find_tool("report");
  if (!tool) {
    fmt::print("measured; no hakbench-report found to summarise it. Result: {}\n", folder);
    return 0;
  }
  if (!run_program({*tool, folder, "--summary"}))
    throw Error("the report failed, the measurement is complete; repeat it with: hakbench report " +
                folder);
  return 0;
}

// The disk that ended the run may be too full for the manifest too; the first error is the one to tell.
void finish_failed(ResultFolder *results, const std::string &error) {
  try {
    results->finish("failed", error);
  } catch (const Error &) {
    // The manifest on disk is still a whole one, of status running.
  }
}

}  // namespace

json make_manifest(const MergedRun &run, const std::string &command,
                   const std::vector<std::string> &argv) {
  const RunConfig &config = run.config;
  json manifest;
  manifest["format"] = "hakbench-result/1";
  manifest["tool"] = {{"name", "hakbench"}, {"version", HAKBENCH_VERSION}};
  manifest["argv"] = argv;
  manifest["command"] = command;
  manifest["profile"] = run.profile;
  manifest["workload"] = {{"name", config.workload.name},
                          {"threads", config.workload.threads},
                          {"seed", config.workload.seed},
                          {"params", config.workload.params}};
  if (!config.workload.file.empty()) manifest["workload"]["file"] = config.workload.file;
  manifest["host"] = host_facts();
  manifest["git"] = git_facts();
  json subjects = json::array();
  for (const SubjectConfig &subject : config.subjects)
    subjects.push_back({{"label", subject.label},
                        {"allocator", subject.plugin.name},
                        {"path", relative_to_installation(subject.plugin.path)}});
  manifest["subjects"] = subjects;
  manifest["environment"] = allocator_environment();
  manifest["reference"] = config.reference;
  manifest["epoch_s"] = config.epoch_s;
  manifest["schedule_seed"] = config.schedule_seed;
  manifest["launches"] = config.launches;
  manifest["blocks"] = config.blocks;
  manifest["warmup_epochs"] = config.warmup_epochs;
  manifest["latency_epochs"] = config.latency_epochs;
  manifest["timeout_s"] = config.grace_s;
  manifest["cpus"] = {{"subjects", format_cpu_list(config.cpus)},
                      {"coordinator", config.coordinator_cpu}};
  manifest["syscalls"] = counter_facts(syscall_source());
  manifest["instructions"] = counter_facts(instruction_source());
  if (config.latency_epochs > 0) manifest["kernel_events"] = counter_facts(event_source());
  return manifest;
}

std::string joined_names(const RunConfig &config) {
  std::vector<std::string> names;
  for (const SubjectConfig &subject : config.subjects) names.push_back(subject.plugin.name);
  return join(names, "-vs-");
}

void warn_of_machine(ResultFolder *results, const std::vector<int> &cpus, json known) {
  const MachineFacts facts = collect_machine_facts(cpus, kMachineSample);
  for (const std::string &line : bias_warnings(judge_machine(facts))) {
    fmt::print(stderr, "hakbench: warning: {}; see hakbench doctor\n", line);
    if (std::find(known.begin(), known.end(), line) == known.end()) known.push_back(line);
  }
  results->on_facts({{"host_warnings", known}});
}

void note_resumed(ResultFolder *results, const RunConfig &config) {
  Event event;
  event.event = "resumed";
  event.detail = "from_launch=" + std::to_string(config.first_launch);
  results->on_event(event);
}

int run_into(ResultFolder *results, const RunConfig &config, bool no_report,
             const std::function<void(RunObserver *)> &measure) {
  fflush(stdout);
  cpu_set_t all_cpus;
  sched_getaffinity(0, sizeof all_cpus, &all_cpus);
  pin_process(config.coordinator_cpu);
  try {
    measure(results);
  } catch (const Interrupted &interrupted) {
    Event event;
    event.event = "interrupted";
    event.detail = "signal=" + std::to_string(interrupted.signal);
    results->on_event(event);
    results->finish("interrupted", "");
    // The terminal may be gone, which is no error of the run.
    fputs(("hakbench: interrupted; the epochs so far are in " + results->path() + "\n").c_str(),
          stderr);
    throw;
  } catch (const std::exception &error) {
    finish_failed(results, error.what());
    throw;
  }
  results->finish("complete", "");
  sched_setaffinity(0, sizeof all_cpus, &all_cpus);
  return no_report ? 0 : show_summary(results->path());
}

void expect_only_resume_options(const CLI::App &command, const std::string &folder,
                                const std::vector<std::string> &allowed) {
  for (const CLI::Option *option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || std::find(allowed.begin(), allowed.end(), name) != allowed.end())
      continue;
    throw Error(name + " does not go with --resume, whose settings are those of " + folder +
                "/manifest.json; leave it out");
  }
}

}  // namespace hakbench
