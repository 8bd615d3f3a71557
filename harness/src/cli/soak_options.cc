#include "cli/soak_options.h"

#include <fmt/format.h>

#include "cli/duration.h"
#include "coordinator/soak_modes.h"
#include "model/error.h"

namespace hakbench {
namespace {

constexpr uint64_t kMinBesideEvery = 2;
constexpr uint64_t kMaxBesideEvery = 1000;

std::string modes_text() {
  std::string text;
  for (const SoakMode &mode : soak_modes()) text += "\n" + mode.name + ": " + mode.doc;
  return text;
}

void merge_mode(const SoakMode &mode, const std::string &workload, RunConfig *config) {
  if (mode.workload.empty()) return;
  if (!workload.empty() && workload != mode.workload)
    throw Error(fmt::format("--mode {} takes the workload {}, not {}; leave --workload out",
                            mode.name, mode.workload, workload));
  if (config->workload.name == mode.workload) return;
  // The profile's parameters and threads were those of another workload.
  config->workload.name = mode.workload;
  config->workload.params.clear();
  config->workload.file.clear();
  config->workload.threads = 0;
}

}  // namespace

std::string soak_label(size_t index) { return std::string(1, static_cast<char>('a' + index)); }

void add_soak_options(CLI::App *command, SoakOptions *o) {
  const char *who = "Who takes turns";
  command
      ->add_option("-a,--allocator", o->allocators,
                   "A plugin's name, NAME=/path.so or /path.so; again for each further one")
      ->allow_extra_args(false)
      ->group(who);
  command
      ->add_option("--beside", o->beside,
                   "One more, to compare with, that gets only some of the turns")
      ->group(who);
  command
      ->add_option("--beside-every", o->beside_every,
                   "One turn in so many is that one's (default 6)")
      ->group(who);
  const char *how = "How long, how often";
  command
      ->add_option("--duration", o->duration,
                   "Time of the whole soak on the clock: 10m, 1h (default 60m)")
      ->group(how);
  command->add_option("--mode", o->mode, "Kind of soak (default steady)" + modes_text())
      ->group(how);
  command
      ->add_option("--idle", o->idle,
                   "ratchet: how long a drained subject idles after each epoch (default 1s)")
      ->group(how);
  const char *watch = "While it runs";
  command
      ->add_option("--prometheus", o->prometheus,
                   "Metrics for Prometheus: a PORT on 127.0.0.1 (0: any free one), ADDRESS:PORT,\n"
                   "or a file that is replaced after each epoch")
      ->group(watch);
  command
      ->add_flag("--csv", o->csv,
                 "Each row of epochs.csv to standard output as well, as it comes, and nothing\n"
                 "else there; implies --no-report")
      ->group(watch);
}

void merge_soak(const SoakOptions &options, const std::string &workload, RunConfig *config) {
  config->launches = 1;        // a soak is one process of each; only --resume adds another
  config->latency_epochs = 0;  // and is not interrupted by a probe
  if (!config->soak) config->soak.emplace();
  SoakConfig &soak = *config->soak;
  if (!options.mode.empty()) soak.mode = options.mode;
  if (!options.duration.empty()) soak.duration_s = parse_seconds("--duration", options.duration);
  if (!options.idle.empty()) soak.idle_s = parse_seconds("--idle", options.idle);
  const SoakMode &mode = find_soak_mode(soak.mode);
  if (!options.idle.empty() && !mode.drains)
    throw Error("--idle goes with --mode ratchet only; leave it out, or give that mode");
  merge_mode(mode, workload, config);
  if (!options.beside.empty()) soak.beside = soak_label(options.allocators.size());
  if (options.beside_every) {
    if (soak.beside.empty())
      throw Error("--beside-every needs --beside; name the allocator that gets those turns");
    if (*options.beside_every < kMinBesideEvery || *options.beside_every > kMaxBesideEvery)
      throw Error(fmt::format("--beside-every {} is out of range; give a number from {} to {}",
                              *options.beside_every, kMinBesideEvery, kMaxBesideEvery));
    soak.beside_every = static_cast<uint32_t>(*options.beside_every);
  }
}

}  // namespace hakbench
