// measure_options.h - the options that measuring commands share, and how they become a RunConfig.
//
// Purpose:    merge, in rising precedence: defaults, profile, environment, command line.
// Boundary:   everything a person can get wrong before the first process starts is found here.
#ifndef HAKBENCH_CLI_MEASURE_OPTIONS_H_
#define HAKBENCH_CLI_MEASURE_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/run_config.h"

namespace hakbench {

struct SoakOptions;

struct MeasureOptions {
  std::map<std::string, std::string> allocators;  // label -> what was typed
  std::string profile;
  std::string workload;
  std::string trace;  // file of workload trace
  std::optional<uint64_t> ws;
  std::vector<std::string> params;  // KEY=VALUE
  std::optional<uint64_t> seed;
  std::optional<uint32_t> threads;
  std::string epoch;
  std::string duration;  // `run` only
  std::optional<uint64_t> ops;
  std::optional<uint64_t> launches;
  std::optional<uint64_t> blocks;
  std::optional<uint64_t> warmup;
  std::optional<uint64_t> latency;
  std::optional<uint64_t> prefault;
  std::string timeout;
  std::string cpus;
  std::optional<uint64_t> schedule_seed;
  std::string reference;
  std::vector<std::string> env;   // LABEL:NAME=VALUE
  std::vector<std::string> init;  // LABEL:KEY=VALUE
  std::string resume;             // a folder: the settings are those of its manifest
  std::string output;
  bool force = false;
  bool no_report = false;
  const SoakOptions *soak = nullptr;  // `soak` only
};

// Those of the options that say what is run; `loop` and `ledger` take these alone.
void add_workload_options(CLI::App *command, MeasureOptions *options);

// The options of every measuring command.
void add_measure_options(
    CLI::App *command, MeasureOptions *options,
    const char *epoch_doc = "Length of an epoch: 0.25, 250ms (default 0.25 s)");

// Those of `run`, `replay` and `ab`, which go by launches.
void add_launch_options(CLI::App *command, MeasureOptions *options);

// Adds a member to a plugin's init settings: a number, true or false as such, anything else as text.
void add_init_setting(const std::string &name, const std::string &value, std::string *init_json);

struct MergedRun {
  RunConfig config;
  nlohmann::json profile;  // merged, for the manifest
};

// Over `defaults`. Throws Error.
MergedRun merge_options(const MeasureOptions &options, const RunConfig &defaults = {});

// "random_mixed ws=400 threads=1 seed=1"
std::string workload_text(const WorkloadConfig &workload);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_MEASURE_OPTIONS_H_
