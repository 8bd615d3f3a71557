// measure_command.cc - `hakbench run`, `replay` and `ab`: one run, of one or several subjects.
//
// Boundary:   puts options, result folder and progress together; coordinator/session.h measures.
// Invariants: what can fail before a measurement fails before there is a folder, or before the
//             folder of a resumed run is touched.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/measure_options.h"
#include "cli/measurement.h"
#include "cli/resume.h"
#include "coordinator/interrupt.h"
#include "coordinator/session.h"
#include "model/error.h"
#include "model/text.h"
#include "output/fan_out.h"
#include "output/progress.h"
#include "output/result_folder.h"

namespace hakbench {
namespace {

using nlohmann::json;

int run_launches(ResultFolder *results, const RunConfig &config, bool no_report) {
  return run_into(results, config, no_report, [&](RunObserver *folder) {
    Progress progress;
    FanOut observers({folder, &progress});
    run_session(config, &observers);
  });
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
  const bool paired = run.config.subjects.size() > 1;
  fmt::print("hakbench {}: {}, {} of {}, result in {}\n", names, workload_text(run.config.workload),
             counted(run.config.launches, "launch", "launches"),
             counted(run.config.blocks, paired ? "block" : "epoch", paired ? "blocks" : "epochs"),
             folder);
  warn_of_machine(&results, run.config.cpus, json::array());
  return run_launches(&results, run.config, options.no_report);
}

int resume(const std::string &command, const MeasureOptions &options) {
  const ResumedRun run = read_resumed_run(options.resume, command, options.launches);
  install_interrupt_handlers();
  check_subjects(run.config);  // before the folder is touched
  ResultFolder results(options.resume, run.manifest, run.point);
  note_resumed(&results, run.config);
  fmt::print("hakbench {}: {}, launches {} to {}, result in {}\n", joined_names(run.config),
             workload_text(run.config.workload), run.config.first_launch, run.config.launches - 1,
             options.resume);
  warn_of_machine(&results, run.config.cpus, run.manifest.value("host_warnings", json::array()));
  return run_launches(&results, run.config, options.no_report);
}

int measure_or_resume(const CLI::App &command, const MeasureOptions &options,
                      const std::vector<std::string> &argv) {
  if (!options.resume.empty()) {
    expect_only_resume_options(command, options.resume, {"--resume", "--launches", "--no-report"});
    return resume(command.get_name(), options);
  }
  for (const auto &[label, allocator] : options.allocators)
    if (allocator.empty())
      throw Error((command.get_name() == "run" ? "--allocator" : "--" + label) +
                  " is required; see hakbench " + command.get_name() + " --help");
  return measure(command.get_name(), options, argv);
}

void add_epoch_count_options(CLI::App *command, MeasureOptions *options) {
  command->add_option("--epochs", options->blocks, "Epochs in each launch (default 8)")
      ->group("How long, how often");
  command
      ->add_option("--duration", options->duration,
                   "Time in epochs instead of their number: 30s, 5m; one launch")
      ->group("How long, how often");
}

}  // namespace

void add_run_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand("run", "Measure one allocator, epoch by epoch");
  auto options = std::make_shared<MeasureOptions>();
  command->add_option("-a,--allocator", options->allocators["a"],
                      "A plugin's name, NAME=/path.so or /path.so; NAME@PROFILE takes the\n"
                      "profile's settings for that allocator");
  add_measure_options(command, options.get());
  add_launch_options(command, options.get());
  add_epoch_count_options(command, options.get());
  command->footer(
      "Examples:\n"
      "  hakbench run -a hakmem --ws 400 --epoch 1s --duration 60s\n"
      "  hakbench run --resume out/DIR --launches 2");
  command->callback([=] { *exit_code = measure_or_resume(*command, *options, command_line()); });
}

void add_replay_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "replay", "Measure one allocator on a recorded trace: as run --trace FILE");
  auto options = std::make_shared<MeasureOptions>();
  command->add_option("TRACE", options->trace, "What `hakbench record` wrote")->required();
  command
      ->add_option("-a,--allocator", options->allocators["a"],
                   "A plugin's name, NAME=/path.so or /path.so")
      ->required();
  add_measure_options(command, options.get());
  for (const char *name : {"--workload", "--trace", "--ws"})  // TRACE says it
    command->remove_option(command->get_option(name));
  add_launch_options(command, options.get());
  command->get_option("--resume")->group("");  // refused below, with what to write instead
  add_epoch_count_options(command, options.get());
  command->footer(
      "Examples:\n"
      "  hakbench replay app.trace -a hakmem\n"
      "  hakbench ab --a hakmem --b mimalloc --trace app.trace      compare two on the same trace\n"
      "An epoch is a whole number of passes over the trace, unless --ops says otherwise.");
  command->callback([=] {
    if (!options->resume.empty())
      throw Error("--resume does not go with replay; write hakbench run --resume " +
                  options->resume);
    *exit_code = measure("run", *options, command_line());
  });
}

void add_ab_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "ab", "Compare allocators in interleaved blocks, with an interval for the ratio");
  auto options = std::make_shared<MeasureOptions>();
  const char *who = "Who is compared";
  command
      ->add_option("--a", options->allocators["a"],
                   "Candidate: NAME, NAME=/path.so or /path.so; NAME@PROFILE takes the\n"
                   "profile's settings for that allocator")
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
  add_launch_options(command, options.get());
  command->add_option("--blocks", options->blocks, "Blocks in each launch (default 8)")
      ->group("How long, how often");
  command
      ->add_option("--schedule-seed", options->schedule_seed,
                   "Seed of the order of turns (default 1)")
      ->group("How long, how often");
  command->footer(
      "Examples:\n"
      "  hakbench ab --a hakmem --b mimalloc --profile quick\n"
      "  hakbench ab --a hakmem --b hakmem --env b:HAKMEM_DEPOT_KB=64 --ws 8192\n"
      "  hakbench ab --a hakmem@mixed_speed_first --b hakmem@mixed_balanced\n"
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
