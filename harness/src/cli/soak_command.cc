// soak_command.cc - `hakbench soak`: one process of each allocator, until the time is up.
//
// Boundary:   puts options, result folder and watchers together; coordinator/soak_session.h
//             measures.
// Invariants: as measure_command.cc. With --csv, standard output holds the rows and nothing else.
#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/measure_options.h"
#include "cli/measurement.h"
#include "cli/resume.h"
#include "cli/soak_options.h"
#include "coordinator/interrupt.h"
#include "coordinator/session.h"
#include "coordinator/soak_modes.h"
#include "coordinator/soak_session.h"
#include "model/error.h"
#include "output/fan_out.h"
#include "output/prometheus.h"
#include "output/row_stream.h"
#include "output/soak_progress.h"

namespace hakbench {
namespace {

using nlohmann::json;

constexpr double kDefaultEpochS = 5;
constexpr size_t kMaxSubjects = 8;
// What bounds the folder: a row is some 350 bytes.
constexpr double kMaxEpochs = 2e6;
constexpr double kRowBytes = 350;
constexpr double kSamplesBytes = 600;  // 20 rows of samples.csv

void say(const SoakOptions &soak, const std::string &line) {
  fputs((line + "\n").c_str(), soak.csv ? stderr : stdout);
}

MergedRun merge(MeasureOptions *options, const SoakOptions &soak) {
  if (soak.allocators.empty()) throw Error("--allocator is required; see hakbench soak --help");
  std::vector<std::string> all = soak.allocators;
  if (!soak.beside.empty()) all.push_back(soak.beside);
  if (all.size() > kMaxSubjects)
    throw Error(fmt::format("{} allocators are more than the {} that can take turns; name fewer",
                            all.size(), kMaxSubjects));
  for (size_t i = 0; i < all.size(); ++i) options->allocators[soak_label(i)] = all[i];
  if (!soak.beside.empty() && options->reference.empty())
    options->reference = soak_label(all.size() - 1);
  options->soak = &soak;
  RunConfig defaults;
  defaults.epoch_s = kDefaultEpochS;
  MergedRun run = merge_options(*options, defaults);
  const std::string &beside = run.config.soak->beside;
  if (!beside.empty() && run.config.subjects.size() < 2)
    throw Error("the profile's run.soak.beside needs a second allocator; add one with -a");
  if (!beside.empty() && beside != run.config.subjects.back().label)
    throw Error("the profile's run.soak.beside is " + beside + ", but the last allocator is " +
                run.config.subjects.back().label + "; name the one that is beside with --beside");
  return run;
}

// Also says how large the folder will be; a soak that would fill a disk is refused.
std::string size_text(const RunConfig &config) {
  const bool drains = find_soak_mode(config.soak->mode).drains;
  const double turn_s = config.epoch_s + (drains ? config.soak->idle_s : 0);
  const double turn_bytes = kRowBytes + (drains ? kSamplesBytes : 0);
  const double epochs = std::ceil(config.soak->duration_s / turn_s);
  if (config.ops) return "";  // nobody knows yet how long an epoch takes
  if (epochs > kMaxEpochs)
    throw Error(
        fmt::format("{:.0f} epochs would be too many rows (at most {:.0f}); give a longer "
                    "--epoch or a shorter --duration",
                    epochs, kMaxEpochs));
  return fmt::format(", about {:.0f} epochs ({:.0f} kB)", epochs,
                     std::ceil(epochs * turn_bytes / 1000));
}

std::string description(const RunConfig &config) {
  return fmt::format("hakbench soak {}: {}, {} mode", joined_names(config),
                     workload_text(config.workload), config.soak->mode);
}

// Before there is a folder, and before the folder of a resumed soak is touched. NULL: not asked for.
std::unique_ptr<MetricsSink> open_sink(const SoakOptions &soak) {
  if (soak.prometheus.empty()) return nullptr;
  auto sink = open_metrics_sink(soak.prometheus);
  say(soak, "metrics for Prometheus: " + sink->where());
  return sink;
}

int soak_into(ResultFolder *results, const RunConfig &config, const MeasureOptions &options,
              const SoakOptions &soak, MetricsSink *sink) {
  return run_into(results, config, options.no_report || soak.csv, [&](RunObserver *folder) {
    std::vector<RunObserver *> observers = {folder};
    std::unique_ptr<RowStream> rows;
    if (soak.csv) observers.push_back((rows = std::make_unique<RowStream>()).get());
    std::unique_ptr<PrometheusMetrics> metrics;
    if (sink != nullptr)
      observers.push_back((metrics = std::make_unique<PrometheusMetrics>(sink)).get());
    SoakProgress progress;
    observers.push_back(&progress);
    FanOut all(observers);
    run_soak(config, &all);
  });
}

int begin(MeasureOptions *options, const SoakOptions &soak, const std::vector<std::string> &argv) {
  const MergedRun run = merge(options, soak);
  const std::string size = size_text(run.config);
  std::string folder = options->output;
  if (folder.empty()) folder = "out/" + time_stamped_name("soak-" + joined_names(run.config));
  install_interrupt_handlers();
  check_subjects(run.config);  // before there is a folder: what fails here has measured nothing
  const std::unique_ptr<MetricsSink> sink = open_sink(soak);
  ResultFolder results(folder, options->force, make_manifest(run, "soak", argv));
  say(soak, fmt::format("{}, {:g} s{}, result in {}", description(run.config),
                        run.config.soak->duration_s, size, folder));
  warn_of_machine(&results, run.config.cpus, json::array());
  return soak_into(&results, run.config, *options, soak, sink.get());
}

int resume(const MeasureOptions &options, const SoakOptions &soak) {
  std::optional<double> duration_s;
  if (!soak.duration.empty()) duration_s = parse_seconds("--duration", soak.duration);
  const ResumedRun run = read_resumed_soak(options.resume, duration_s);
  install_interrupt_handlers();
  check_subjects(run.config);  // before the folder is touched
  const std::unique_ptr<MetricsSink> sink = open_sink(soak);
  ResultFolder results(options.resume, run.manifest, run.point);
  note_resumed(&results, run.config);
  say(soak, fmt::format("{}, from {:.0f} to {:g} s, launch {}, result in {}",
                        description(run.config), run.config.soaked_s, run.config.soak->duration_s,
                        run.config.first_launch, options.resume));
  warn_of_machine(&results, run.config.cpus, run.manifest.value("host_warnings", json::array()));
  return soak_into(&results, run.config, options, soak, sink.get());
}

constexpr char kFooter[] = R"(Examples:
  hakbench soak -a hakmem --beside mimalloc --duration 60m
                          an hour, with mimalloc in every sixth turn
  hakbench soak -a hakmem -a jemalloc --epoch 1s --duration 10m -o out/soak
  hakbench soak -a hakmem --mode ratchet --idle 2s --duration 10m
                          what stays resident when everything is freed?
  hakbench soak -a hakmem --duration 8h --prometheus 9123
  hakbench soak --resume out/soak                    after a crash, to the end of its time
  hakbench soak --resume out/soak --duration 2h      or for longer
SIGINT, SIGTERM and SIGHUP end a soak with its epochs kept; nohup works.)";

}  // namespace

void add_soak_command(CLI::App *app, int *exit_code) {
  CLI::App *command =
      app->add_subcommand("soak", "Run allocators in turns for an hour, say: does memory drift?");
  auto options = std::make_shared<MeasureOptions>();
  auto soak = std::make_shared<SoakOptions>();
  add_soak_options(command, soak.get());
  add_measure_options(command, options.get(), "Length of an epoch: 5s, 250ms (default 5 s)");
  command
      ->add_option("--reference", options->reference,
                   "Label of the one that calibrates the epoch and is compared with (default\n"
                   "--beside's, else b, or a if it is alone)")
      ->group("Who takes turns");
  command
      ->add_option(
          "--resume", options->resume,
          "Continue the soak in this folder, with its settings and fresh processes, until\n"
          "its --duration is full")
      ->group("Where");
  command->footer(kFooter);
  command->callback([=] {
    if (options->resume.empty()) {
      *exit_code = begin(options.get(), *soak, command_line());
      return;
    }
    expect_only_resume_options(*command, options->resume,
                               {"--resume", "--duration", "--no-report", "--prometheus", "--csv"});
    *exit_code = resume(*options, *soak);
  });
}

}  // namespace hakbench
