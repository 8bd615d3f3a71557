// soak_options.h - the options of `hakbench soak` beyond those of every measuring command.
//
// Boundary:   options to RunConfig::soak; measure_options.h merges all else.
#ifndef HAKBENCH_CLI_SOAK_OPTIONS_H_
#define HAKBENCH_CLI_SOAK_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/run_config.h"

namespace hakbench {

struct SoakOptions {
  std::vector<std::string> allocators;  // as they were typed; they get the labels a, b, c ...
  std::string beside;                   // one more, which gets only some of the turns
  std::optional<uint64_t> beside_every;
  std::string duration;
  std::string mode;
  std::string idle;
  std::string prometheus;
  bool csv = false;
};

void add_soak_options(CLI::App *command, SoakOptions *options);

// Over what a profile said. `workload` is --workload as it was typed, if it was; a mode may choose its
// own. Throws Error.
void merge_soak(const SoakOptions &options, const std::string &workload, RunConfig *config);

// "a", "b" ...
std::string soak_label(size_t index);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_SOAK_OPTIONS_H_
