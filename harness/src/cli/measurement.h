// measurement.h - what `run`, `ab` and `soak` do around their schedule: manifest, warnings, endings, report.
//
// Boundary:   cli/ only. The schedule is a function that is handed the result folder as its observer.
#ifndef HAKBENCH_CLI_MEASUREMENT_H_
#define HAKBENCH_CLI_MEASUREMENT_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/measure_options.h"
#include "coordinator/run_config.h"
#include "output/result_folder.h"

namespace hakbench {

nlohmann::json make_manifest(const MergedRun &run, const std::string &command,
                             const std::vector<std::string> &argv);

// "hakmem-vs-mimalloc"
std::string joined_names(const RunConfig &config);

// What of this machine would bias the run: to the manifest, with what an earlier part of the run met
// (`known`), and to the person.
void warn_of_machine(ResultFolder *results, const std::vector<int> &cpus, nlohmann::json known);

// Notes in the folder that it was resumed; before the first epoch.
void note_resumed(ResultFolder *results, const RunConfig &config);

// From the first launch to the manifest's last status, and the report. `measure` runs on the
// coordinator's CPU. Returns the exit code; throws what `measure` does.
int run_into(ResultFolder *results, const RunConfig &config, bool no_report,
             const std::function<void(RunObserver *)> &measure);

// Throws Error if an option was given that does not go with --resume, whose settings are the manifest's.
void expect_only_resume_options(const CLI::App &command, const std::string &folder,
                                const std::vector<std::string> &allowed);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_MEASUREMENT_H_
