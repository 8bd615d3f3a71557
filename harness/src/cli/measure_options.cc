#include "cli/measure_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cli/duration.h"
#include "cli/gates_table.h"
#include "cli/locations.h"
#include "cli/soak_options.h"
#include "coordinator/cpus.h"
#include "coordinator/profile.h"
#include "coordinator/session.h"
#include "coordinator/soak_modes.h"
#include "model/error.h"
#include "model/text.h"

namespace hakbench {
namespace {

constexpr char kPrefaultVariable[] = "HAKMEM_BENCH_PREFAULT";
constexpr uint32_t kMaxBlocks = 1'000'000;
constexpr uint64_t kMostOps = 1'000'000'000'000;  // hours of them
constexpr char kWhatIsRun[] = "What is run";
constexpr char kHowLong[] = "How long, how often";

uint64_t parse_number(const std::string &what, const std::string &text) {
  uint64_t value = 0;
  const char *end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || at != end)
    throw Error(what + "=" + text + " is not a whole number of 0 or more; give one, for example " +
                what + "=400");
  return value;
}

void take(const std::optional<uint64_t> &option, const char *name, uint64_t min, uint64_t max,
          uint32_t *out) {
  if (!option) return;
  if (*option < min || *option > max)
    throw Error(
        fmt::format("{} {} is out of range; give a number from {} to {}", name, *option, min, max));
  *out = static_cast<uint32_t>(*option);
}

// --workload as it was typed; --trace implies one.
std::string chosen_workload(const MeasureOptions &options) {
  return options.workload.empty() && !options.trace.empty() ? "trace" : options.workload;
}

void merge_workload(const MeasureOptions &options, WorkloadConfig *workload) {
  const std::string name = chosen_workload(options);
  if (!name.empty() && name != workload->name) {
    workload->name = name;
    workload->params.clear();  // the profile's were those of another workload
    workload->file.clear();
  }
  if (!options.trace.empty()) workload->file = options.trace;
  if (options.ws) workload->params["ws"] = *options.ws;
  for (const std::string &param : options.params) {
    const size_t equals = param.find('=');
    if (equals == std::string::npos)
      throw Error("--param " + param + " has no value; write --param KEY=VALUE");
    const std::string key = param.substr(0, equals);
    workload->params[key] = parse_number(key, param.substr(equals + 1));
  }
  if (options.seed) workload->seed = *options.seed;
  if (options.threads) workload->threads = *options.threads;

  std::vector<std::string> names;
  for (const WorkloadInfo &info : list_workloads()) {
    names.push_back(info.name);
    if (info.name != workload->name) continue;
    if (workload->threads == 0) workload->threads = info.default_threads;
    for (const ParamInfo &param : info.params)
      workload->params.emplace(param.name, param.default_value);  // so that the manifest has them
  }
  if (std::find(names.begin(), names.end(), workload->name) == names.end())
    throw Error("unknown workload '" + workload->name + "'" + suggest(workload->name, names));
  std::string error;
  if (make_workload(*workload, &error) == nullptr) throw Error(error);
}

void merge_prefault(const MeasureOptions &options, RunConfig *config) {
  if (const char *text = getenv(kPrefaultVariable)) {
    config->prefault_ops = parse_number(kPrefaultVariable, text);
  }
  if (options.prefault) config->prefault_ops = options.prefault;
}

void merge_cpus(const MeasureOptions &options, RunConfig *config) {
  const std::vector<int> allowed = allowed_cpus();
  // The profile's, if the command line has none.
  const std::string text = options.cpus.empty() ? format_cpu_list(config->cpus) : options.cpus;
  config->cpus = subject_cpus(text, allowed, config->workload.threads);
  // Worker w sits on the w-th: CPUs behind the last worker's are not the subject's.
  if (config->cpus.size() > config->workload.threads) config->cpus.resize(config->workload.threads);
  config->coordinator_cpu = coordinator_seat(allowed, config->cpus);
}

// Splits "b:NAME=VALUE", or "NAME=VALUE" for all, and hands name and value to `apply` for each subject
// that is meant.
template <typename Apply>
void for_subjects(const char *option, const std::string &text, std::vector<SubjectConfig> *subjects,
                  const Apply &apply) {
  const size_t equals = text.find('=');
  const size_t colon = text.find(':');
  const bool labelled = colon < equals;
  const std::string label = labelled ? text.substr(0, colon) : "";
  const size_t name_at = labelled ? colon + 1 : 0;
  if (equals == std::string::npos || equals == name_at)
    throw Error(fmt::format("{0} {1} is no NAME=VALUE; write {0} NAME=VALUE or {0} b:NAME=VALUE",
                            option, text));
  bool used = false;
  for (SubjectConfig &subject : *subjects) {
    if (labelled && subject.label != label) continue;
    apply(&subject, text.substr(name_at, equals - name_at), text.substr(equals + 1));
    used = true;
  }
  if (!used)
    throw Error(fmt::format("{} {}: there is no subject '{}' in this run", option, text, label));
}

// A build of this project, whose settings are known.
bool is_own_hakmem(const SubjectConfig &subject) {
  return subject.plugin.path.rfind(plugin_folder() + "/hakmem", 0) == 0;
}

void merge_env(const MeasureOptions &options, std::vector<SubjectConfig> *subjects) {
  for (const std::string &text : options.env)
    for_subjects("--env", text, subjects,
                 [&](SubjectConfig *subject, const std::string &name, const std::string &value) {
                   if (is_own_hakmem(*subject)) check_hakmem_setting("--env " + text, name, value);
                   subject->env[name] = value;
                 });
}

void merge_init(const MeasureOptions &options, std::vector<SubjectConfig> *subjects) {
  for (const std::string &text : options.init)
    for_subjects("--init", text, subjects,
                 [&](SubjectConfig *subject, const std::string &name, const std::string &value) {
                   if (is_own_hakmem(*subject)) check_hakmem_setting("--init " + text, name, value);
                   add_init_setting(name, value, &subject->init_json);
                 });
}

bool has_settings(const nlohmann::json &profile, const std::string &name) {
  return profile.value("allocator", nlohmann::json::object()).contains(name);
}

// What the plugin calls itself, where that decides which settings it gets: a build that is named by its
// path is still the allocator that the profile speaks of. Empty: it does not, or could not be asked.
std::string own_name(const nlohmann::json &profile, const SubjectConfig &subject,
                     const std::vector<int> &cpus) {
  if (!profile.contains("allocator") || has_settings(profile, subject.plugin.name)) return "";
  if (subject.plugin.path == plugin_folder() + "/" + subject.plugin.name + ".so") return "";
  try {
    return check_in_subject(subject, cpus).name;
  } catch (const Error &error) {
    fmt::print(stderr,
               "hakbench: warning: what allocator {} is cannot be asked ({}): of the profile's "
               "settings only those for '{}' reach it\n",
               subject.plugin.name, error.what(), subject.plugin.name);
    return "";
  }
}

// Settings for an allocator that is nowhere are likely a slip of the pen.
void warn_of_unknown(const nlohmann::json &profile, const std::string &name,
                     const std::vector<SubjectConfig> &subjects) {
  std::vector<std::string> known;
  for (const PluginSpec &plugin : list_plugins(plugin_folder())) known.push_back(plugin.name);
  for (const SubjectConfig &subject : subjects) {
    known.push_back(subject.plugin.name);
    known.push_back(subject.label);
  }
  const nlohmann::json all = profile.value("allocator", nlohmann::json::object());
  for (const auto &[allocator, settings] : all.items())
    if (std::find(known.begin(), known.end(), allocator) == known.end())
      fmt::print(
          stderr,
          "hakbench: warning: the profile {} has settings for '{}', which is neither a plugin "
          "nor a subject of this run{}\n",
          name, allocator, suggest(allocator, known));
}

// By its name, another name that hakmem has for it, or its file.
nlohmann::json load_named(const std::string &name) {
  const std::string own_name = profile_of_alias(name);
  return load_profile(find_profile(own_name.empty() ? name : own_name));
}

// PLUGIN@PROFILE: the plugin with the settings that the profile's part `allocator` has for it.
void resolve_subject(const std::string &text, const nlohmann::json &profile,
                     const std::vector<int> &cpus, SubjectConfig *subject) {
  const size_t at = text.rfind('@');
  const size_t slash = text.rfind('/');
  const bool has_profile = at != std::string::npos && (slash == std::string::npos || at > slash);
  std::string error;
  if (!resolve_plugin(text.substr(0, has_profile ? at : text.size()), plugin_folder(),
                      &subject->plugin, &error))
    throw Error(error);
  apply_profile(profile, subject, own_name(profile, *subject, cpus));
  if (!has_profile) return;
  const std::string name = text.substr(at + 1);
  const nlohmann::json own = load_named(name);
  const std::string own_plugin = own_name(own, *subject, cpus);
  if (!has_settings(own, subject->plugin.name) && !has_settings(own, own_plugin))
    throw Error(
        fmt::format("{}: the profile {} has no settings for {}; add them under "
                    "allocator.{}, or leave out @{}",
                    text, name, subject->plugin.name, subject->plugin.name, name));
  apply_profile(own, subject, own_plugin);
  subject->plugin.name += "@" + name;
}

}  // namespace

void add_workload_options(CLI::App *command, MeasureOptions *o) {
  const auto add = [&](const char *name, auto *value, const char *doc) {
    command->add_option(name, *value, doc)->group(kWhatIsRun);
  };
  add("-w,--workload", &o->workload, "Workload (default random_mixed)");
  add("--trace", &o->trace, "The trace to replay; goes with -w trace, and implies it");
  add("--ws", &o->ws, "Working set: slots of a worker (default the workload's; random_mixed 400)");
  add("--param", &o->params, "Another parameter of the workload, KEY=VALUE");
  add("--seed", &o->seed, "Seed of the workload (default 1)");
  add("--threads", &o->threads, "Workers (default the workload's: hakbench list workloads)");
  add("--init", &o->init, "A setting for the plugin's init: HAKMEM_DEPOT_KB=64, or b:... for one");
}

void add_measure_options(CLI::App *command, MeasureOptions *o, const char *epoch_doc) {
  command->add_option("-p,--profile", o->profile, "Settings from a profile: its name or its file")
      ->group(kWhatIsRun);
  add_workload_options(command, o);
  command
      ->add_option("--env", o->env,
                   "NAME=VALUE for every subject, or b:NAME=VALUE for the one labelled b")
      ->group(kWhatIsRun);

  const char *how = kHowLong;
  command->add_option("--epoch", o->epoch, epoch_doc)->group(how);
  command
      ->add_option("--ops,--cycles", o->ops,
                   "Operations of an epoch, over all workers, instead of calibrating --epoch")
      ->group(how);
  command->add_option("--warmup", o->warmup, "Epochs before the first counted one (default 1)")
      ->group(how);
  command
      ->add_option("--prefault", o->prefault,
                   "Operations before the warm-up, from another seed; 0 is none (default\n"
                   "$HAKMEM_BENCH_PREFAULT, else a tenth of an epoch)")
      ->group(how);

  command
      ->add_option("--timeout", o->timeout,
                   "A hang: an epoch that takes more than this plus 20 times its length\n"
                   "(default 60s)")
      ->group(how);

  const char *where = "Where";
  command
      ->add_option(
          "--cpus", o->cpus,
          "CPUs of the subjects, as 1 or 1,3-4, one a worker (default the last; with several\n"
          "workers those behind the first)")
      ->group(where);
  command->add_option("-o,--output", o->output, "Folder of the result (default out/TIME-NAMES)")
      ->group(where);
  command->add_flag("--force", o->force, "Write into a folder that is not empty")->group(where);
  command
      ->add_flag("--no-report", o->no_report, "Only measure; `hakbench report DIR` does the rest")
      ->group(where);
}

void add_launch_options(CLI::App *command, MeasureOptions *o) {
  command->add_option("--launches", o->launches, "Fresh processes of each allocator (default 5)")
      ->group(kHowLong);
  command
      ->add_option("--latency", o->latency,
                   "Epochs after the blocks of a launch that time each operation (default 0)")
      ->group(kHowLong);
  command
      ->add_option("--resume", o->resume,
                   "Continue the run in this folder, with its settings, until it has --launches\n"
                   "in all (default: as many as it was to have)")
      ->group("Where");
}

void add_init_setting(const std::string &name, const std::string &value, std::string *init_json) {
  nlohmann::json init = nlohmann::json::parse(*init_json);
  const nlohmann::json typed = nlohmann::json::parse(value, nullptr, false);
  init[name] = typed.is_number() || typed.is_boolean() ? typed : nlohmann::json(value);
  // A name or value that is no UTF-8 can't be JSON; the plugin then refuses what replaces it.
  *init_json = init.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {

// Which epoch it is that is too long: who did not give one has not seen it.
std::string epoch_text(const MeasureOptions &options, const nlohmann::json &profile,
                       double epoch_s) {
  const bool is_profiles = profile.value("run", nlohmann::json::object()).contains("epoch_s");
  return fmt::format("the {} of {:g} s",
                     !options.epoch.empty() ? "--epoch"
                     : is_profiles          ? "profile's epoch"
                                            : "default epoch",
                     epoch_s);
}

// What an epoch is, and how many there are.
void merge_counts(const MeasureOptions &options, RunConfig *config) {
  if (!options.epoch.empty()) {
    config->epoch_s = parse_seconds("--epoch", options.epoch);
    config->ops.reset();
  }
  if (!options.timeout.empty()) config->grace_s = parse_seconds("--timeout", options.timeout);
  if (options.ops == 0u) throw Error("--ops 0 measures nothing; give at least 1");
  if (options.ops) config->ops = options.ops;
  for (const auto &[name, value] :
       {std::pair("--ops", config->ops), std::pair("--prefault", config->prefault_ops)})
    if (value > kMostOps)
      throw Error(fmt::format("{} {} is out of range; give at most {}", name, *value, kMostOps));
  take(options.launches, "--launches", 1, 10'000, &config->launches);
  take(options.blocks, "--blocks", 1, kMaxBlocks, &config->blocks);
  take(options.warmup, "--warmup", 0, 1000, &config->warmup_epochs);
  take(options.latency, "--latency", 0, 1000, &config->latency_epochs);
  if (options.schedule_seed) config->schedule_seed = *options.schedule_seed;
}

// `run --duration`: as many epochs as fit.
void merge_duration(const MeasureOptions &options, const nlohmann::json &profile,
                    RunConfig *config) {
  if (options.duration.empty()) return;
  if (config->ops)
    throw Error(
        "--duration does not go with --ops: nobody knows yet how long such an epoch takes; give "
        "--epochs, or --epoch instead of --ops");
  const double duration_s = parse_seconds("--duration", options.duration);
  expect_epoch_fits(epoch_text(options, profile, config->epoch_s), "--epoch", config->epoch_s, 0,
                    options.duration, duration_s);
  const double epochs = std::ceil(duration_s / config->epoch_s);
  if (epochs > kMaxBlocks)
    throw Error(
        fmt::format("--duration {} would be {:.0f} epochs of {:g} s, of at most {}; give a "
                    "longer --epoch",
                    options.duration, epochs, config->epoch_s, kMaxBlocks));
  config->blocks = static_cast<uint32_t>(epochs);
  config->launches = options.launches ? config->launches : 1;
}

void expect_soak_fits(const MeasureOptions &options, const nlohmann::json &profile,
                      const RunConfig &config) {
  if (options.soak == nullptr || config.ops) return;
  const double idle_s = find_soak_mode(config.soak->mode).drains ? config.soak->idle_s : 0;
  expect_epoch_fits(epoch_text(options, profile, config.epoch_s), "--epoch", config.epoch_s, idle_s,
                    options.soak->duration, config.soak->duration_s);
}

void merge_subjects(const MeasureOptions &options, const nlohmann::json &profile,
                    RunConfig *config) {
  std::vector<std::string> labels;
  for (const auto &[label, text] : options.allocators) {
    SubjectConfig subject;
    subject.label = label;
    resolve_subject(text, profile, config->cpus, &subject);
    config->subjects.push_back(subject);
    labels.push_back(label);
  }
  if (!options.profile.empty()) warn_of_unknown(profile, options.profile, config->subjects);
  merge_env(options, &config->subjects);
  merge_init(options, &config->subjects);
  if (!options.reference.empty()) config->reference = options.reference;
  if (config->reference.empty()) config->reference = labels.size() > 1 ? "b" : "a";
  if (std::find(labels.begin(), labels.end(), config->reference) == labels.end())
    throw Error("the reference '" + config->reference +
                "' is no subject of this run; choose one of " + join(labels));
}

}  // namespace

MergedRun merge_options(const MeasureOptions &options, const RunConfig &defaults) {
  MergedRun merged;
  merged.config = defaults;
  RunConfig &config = merged.config;
  config.workload.threads = 0;  // the workload's own default, if nobody says otherwise
  nlohmann::json profile = nlohmann::json::object();
  if (!options.profile.empty()) profile = load_named(options.profile);
  apply_profile(profile, &config);
  if (options.soak != nullptr) merge_soak(*options.soak, chosen_workload(options), &config);
  merge_workload(options, &config.workload);
  merge_prefault(options, &config);
  merge_cpus(options, &config);
  merge_counts(options, &config);
  merge_duration(options, profile, &config);
  expect_soak_fits(options, profile, config);
  merge_subjects(options, profile, &config);
  merged.profile = merged_profile(config, profile);
  return merged;
}

std::string workload_text(const WorkloadConfig &workload) {
  std::string text = workload.name;
  for (const auto &[key, value] : workload.params) text += fmt::format(" {}={}", key, value);
  if (!workload.file.empty()) text += " file=" + workload.file;
  return text + fmt::format(" threads={} seed={}", workload.threads, workload.seed);
}

}  // namespace hakbench
