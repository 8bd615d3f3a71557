// measure_command.cc - `hakbench run` and `hakbench ab`: the same run with one or several subjects.
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/locations.h"
#include "cli/measure_options.h"
#include "cli/resume.h"
#include "coordinator/cpus.h"
#include "coordinator/doctor.h"
#include "coordinator/host.h"
#include "coordinator/interrupt.h"
#include "coordinator/kernel_counter.h"
#include "coordinator/session.h"
#include "model/error.h"
#include "model/installation.h"
#include "model/text.h"
#include "output/progress.h"
#include "output/result_folder.h"

namespace hakbench {
namespace {

using nlohmann::json;

// The calibration and the launches that follow take seconds; this is not to be felt.
constexpr std::chrono::milliseconds kMachineSample{200};

// Results first: when a row can't be written, nothing is shown as done.
class Observers : public RunObserver {
 public:
  Observers(RunObserver *first, RunObserver *second) : both_{first, second} {}
  void on_plan(const RunPlan &plan) override {
    for (RunObserver *o : both_) o->on_plan(plan);
  }
  void on_epoch(const Epoch &epoch) override {
    for (RunObserver *o : both_) o->on_epoch(epoch);
  }
  void on_latency(const LatencyEpoch &latency) override {
    for (RunObserver *o : both_) o->on_latency(latency);
  }
  void on_event(const Event &event) override {
    for (RunObserver *o : both_) o->on_event(event);
  }
  void on_facts(const json &facts) override {
    for (RunObserver *o : both_) o->on_facts(facts);
  }

 private:
  RunObserver *both_[2];
};

json counter_facts(const CounterSource &counter) {
  return {{"source", counter.source}, {"reason", counter.reason}};
}

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
  manifest["host"] = host_facts();
  manifest["git"] = git_facts(executable_folder());
  json subjects = json::array();
  for (const SubjectConfig &subject : config.subjects)
    subjects.push_back({{"label", subject.label},
                        {"allocator", subject.plugin.name},
                        {"path", relative_to_installation(subject.plugin.path)}});
  manifest["subjects"] = subjects;
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
  return manifest;
}

// Prints the summary that the analysis makes of the folder. Its failure does not make the
// measurement invalid, but must not pass silently either.
int show_summary(const std::string &folder) {
  const auto tool = find_tool("report");
  if (!tool) {
    fmt::print("measured; no hakbench-report found to summarise it. Result: {}\n", folder);
    return 0;
  }
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    execl(tool->c_str(), "hakbench-report", folder.c_str(), "--summary", nullptr);
    _exit(127);
  }
  int status = 1;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
    throw Error("the report failed, the measurement is complete; repeat it with: hakbench report " +
                folder);
  return 0;
}

// "hakmem-vs-mimalloc"
std::string joined_names(const RunConfig &config) {
  std::vector<std::string> names;
  for (const SubjectConfig &subject : config.subjects) names.push_back(subject.plugin.name);
  return join(names, "-vs-");
}

// What of this machine would bias the run: to the manifest, with what an earlier part of the run met, and
// to the person.
void warn_of_machine(ResultFolder *results, const std::vector<int> &cpus, json known) {
  const MachineFacts facts = collect_machine_facts(cpus, kMachineSample);
  for (const std::string &line : bias_warnings(judge_machine(facts))) {
    fmt::print(stderr, "hakbench: warning: {}; see hakbench doctor\n", line);
    if (std::find(known.begin(), known.end(), line) == known.end()) known.push_back(line);
  }
  results->on_facts({{"host_warnings", known}});
}

// From the first launch to the manifest's last status.
int run_into(ResultFolder *results, const RunConfig &config, bool no_report) {
  fflush(stdout);
  cpu_set_t all_cpus;
  sched_getaffinity(0, sizeof all_cpus, &all_cpus);
  pin_process(config.coordinator_cpu);
  try {
    Progress progress;
    Observers observers(results, &progress);
    run_session(config, &observers);
  } catch (const Interrupted &interrupted) {
    Event event;
    event.event = "interrupted";
    event.detail = "signal=" + std::to_string(interrupted.signal);
    results->on_event(event);
    results->finish("interrupted", "");
    fmt::print(stderr, "hakbench: interrupted; the epochs so far are in {}\n", results->path());
    throw;
  } catch (const std::exception &error) {
    results->finish("failed", error.what());
    throw;
  }
  results->finish("complete", "");
  sched_setaffinity(0, sizeof all_cpus, &all_cpus);
  return no_report ? 0 : show_summary(results->path());
}

int measure(const std::string &command, const MeasureOptions &options,
            const std::vector<std::string> &argv) {
  const MergedRun run = merge_options(options);
  const std::string names = joined_names(run.config);
  std::string folder = options.output;
  if (folder.empty())
    folder = "out/" + time_stamped_name(command == "run" ? "run-" + names : names);

  install_interrupt_handlers();
  check_subjects(run.config);  // before there is a folder: what fails here has measured nothing
  ResultFolder results(folder, options.force, make_manifest(run, command, argv));
  fmt::print("hakbench {}: {}, {} launches of {} {}, result in {}\n", names,
             workload_text(run.config.workload), run.config.launches, run.config.blocks,
             run.config.subjects.size() > 1 ? "blocks" : "epochs", folder);
  warn_of_machine(&results, run.config.cpus, json::array());
  return run_into(&results, run.config, options.no_report);
}

int resume(const std::string &command, const MeasureOptions &options) {
  const ResumedRun run = read_resumed_run(options.resume, command, options.launches);
  install_interrupt_handlers();
  check_subjects(run.config);  // before the folder is touched
  ResultFolder results(options.resume, run.manifest, run.point);
  Event event;
  event.event = "resumed";
  event.detail = "from_launch=" + std::to_string(run.config.first_launch);
  results.on_event(event);
  fmt::print("hakbench {}: {}, launches {} to {}, result in {}\n", joined_names(run.config),
             workload_text(run.config.workload), run.config.first_launch, run.config.launches - 1,
             options.resume);
  warn_of_machine(&results, run.config.cpus, run.manifest.value("host_warnings", json::array()));
  return run_into(&results, run.config, options.no_report);
}

// What a resumed run may be told anew; everything else is in its manifest.
bool goes_with_resume(const std::string &option) {
  return option == "--resume" || option == "--launches" || option == "--no-report";
}

int measure_or_resume(const CLI::App &command, const MeasureOptions &options,
                      const std::vector<std::string> &argv) {
  if (!options.resume.empty()) {
    for (const CLI::Option *option : command.get_options())
      if (option->count() > 0 && !goes_with_resume(option->get_name()))
        throw Error(option->get_name() +
                    " does not go with --resume, whose settings are those of " + options.resume +
                    "/manifest.json; leave it out");
    return resume(command.get_name(), options);
  }
  for (const auto &[label, allocator] : options.allocators)
    if (allocator.empty())
      throw Error((command.get_name() == "run" ? "--allocator" : "--" + label) +
                  " is required; see hakbench " + command.get_name() + " --help");
  return measure(command.get_name(), options, argv);
}

}  // namespace

void add_run_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand("run", "Measure one allocator, epoch by epoch");
  auto options = std::make_shared<MeasureOptions>();
  command->add_option("-a,--allocator", options->allocators["a"],
                      "A plugin's name, NAME=/path.so or /path.so");
  add_measure_options(command, options.get());
  command->add_option("--epochs", options->blocks, "Epochs in each launch (default 8)")
      ->group("How long, how often");
  command
      ->add_option("--duration", options->duration,
                   "Time in epochs instead of their number: 30s, 5m; one launch")
      ->group("How long, how often");
  command->footer(
      "Examples:\n"
      "  hakbench run -a hakmem --ws 400 --epoch 1s --duration 60s\n"
      "  hakbench run --resume out/DIR --launches 2");
  command->callback([=] { *exit_code = measure_or_resume(*command, *options, command_line()); });
}

void add_ab_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "ab", "Compare allocators in interleaved blocks, with an interval for the ratio");
  auto options = std::make_shared<MeasureOptions>();
  const char *who = "Who is compared";
  command->add_option("--a", options->allocators["a"], "Candidate: NAME, NAME=/path.so or /path.so")
      ->group(who);
  command->add_option("--b", options->allocators["b"], "Reference, in the same form")->group(who);
  auto more = std::make_shared<std::vector<std::string>>(6);
  for (size_t i = 0; i < more->size(); ++i)
    command
        ->add_option(std::string("--") + static_cast<char>('c' + i), (*more)[i],
                     i == 0 ? "A third one, and so on to --h" : "")
        ->group(i == 0 ? who : "");
  command
      ->add_option("--reference", options->reference,
                   "Label of the subject that the others are compared with (default b)")
      ->group(who);
  add_measure_options(command, options.get());
  command->add_option("--blocks", options->blocks, "Blocks in each launch (default 8)")
      ->group("How long, how often");
  command
      ->add_option("--schedule-seed", options->schedule_seed,
                   "Seed of the order of turns (default 1)")
      ->group("How long, how often");
  command->footer(
      "Examples:\n"
      "  hakbench ab --a hakmem --b mimalloc --profile quick\n"
      "  hakbench ab --a hakmem --b hakmem --env b:HAKMEM_SS_MEM_LEAN=1 --ws 8192\n"
      "  hakbench ab --a glibc --b je=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2 -o out/je\n"
      "  hakbench ab --resume out/je --launches 10");
  command->callback([=] {
    for (size_t i = 0; i < more->size(); ++i)
      if (!(*more)[i].empty())
        options->allocators[std::string(1, static_cast<char>('c' + i))] = (*more)[i];
    *exit_code = measure_or_resume(*command, *options, command_line());
  });
}

}  // namespace hakbench
