// run_config.h - everything that decides a run, as plain data.
//
// Purpose:    the merge of profile, command line and defaults: what cli/ fills and the session obeys.
// Invariants: every member has its final value before the session starts; nothing is looked up later.
#ifndef HAKBENCH_COORDINATOR_RUN_CONFIG_H_
#define HAKBENCH_COORDINATOR_RUN_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "subject/plugin_loader.h"
#include "workload/workload.h"

namespace hakbench {

struct SubjectConfig {
  std::string label;  // a, b, c ...
  PluginSpec plugin;
  std::map<std::string, std::string> env;  // added to the subject's environment
  std::string init_json = "{}";            // handed to the plugin's init
  std::string sha256;                      // of the library it must be; empty: any
};

// A block with an epoch above one of these is quarantined whole. Empty: no such limit.
struct NoiseLimits {
  std::optional<double> involuntary_switches_per_s;
  std::optional<double> steal_share;      // of the epoch's time on the subject's CPUs
  std::optional<double> run_delay_share;  // of the epoch's time, an average over workers
};

// What a soak is told beyond that.
struct SoakConfig {
  double duration_s = 3600;  // on the clock, over all launches of the soak
  std::string mode = "steady";
  double idle_s = 1;   // ratchet: how long a drained subject idles
  std::string beside;  // label of the subject that gets only every `beside_every`-th turn
  uint32_t beside_every = 6;
};

struct RunConfig {
  WorkloadConfig workload;
  std::vector<SubjectConfig> subjects;
  std::string reference;  // label of the subject on which the ops of an epoch are calibrated

  double epoch_s = 0.25;
  std::optional<uint64_t> ops;  // of an epoch, over all workers; skips the calibration
  uint32_t launches = 5;
  uint32_t blocks = 8;                   // in each launch
  uint32_t warmup_epochs = 1;            // of each subject in each launch
  uint32_t latency_epochs = 0;           // of each subject in each launch, after its blocks
  std::optional<uint64_t> prefault_ops;  // over all workers; empty: a tenth of an epoch's ops
  std::vector<int> cpus;                 // of the subjects
  int coordinator_cpu = 0;
  uint64_t schedule_seed = 1;
  NoiseLimits noise;
  uint32_t first_launch = 0;  // a resumed run: launches before it, and
  int64_t first_seq = 0;      // epochs before this one, are on record already
  double soaked_s = 0;        // and this much of the soak's duration
  std::optional<SoakConfig> soak;
  double grace_s = 60;  // a subject hangs when it takes 20 times what is expected plus this
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_RUN_CONFIG_H_
