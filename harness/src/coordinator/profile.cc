#include "coordinator/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "coordinator/cpus.h"
#include "coordinator/profile_text.h"
#include "coordinator/text_file.h"
#include "model/error.h"
#include "model/text.h"

namespace hakbench {
namespace {

using nlohmann::json;

constexpr double kMaxInteger = 9007199254740992.0;  // 2^53: what every JSON reader keeps exact

// Checks one document against the tables; knows where each key stands.
class Validator {
 public:
  Validator(const ProfileText &text, const std::string &name) : text_(text), name_(name) {}

  void validate() {
    check_members("", text_.document,
                  {"$schema", "description", "workload", "allocator", "run", "gate"});
    check_value({"description", ProfileType::kText, 0, 0, ""});
    check_object("gate");
    check_workload();
    check_allocators();
    check_object("run.noise");
    check_object("run.soak");
    check_table_part("run");
    check_table_part("run.soak");
    check_table_part("run.noise");
  }

 private:
  [[noreturn]] void fail(const std::string &path, const std::string &what) const {
    const auto line = text_.lines.find(path);
    throw Error(
        fmt::format("{}:{}: {}", name_, line == text_.lines.end() ? 1 : line->second, what));
  }

  const json *find(const std::string &path) const {
    const json *at = &text_.document;
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = std::min(path.find('.', begin), path.size());
      const auto member = at->find(path.substr(begin, end - begin));
      if (!at->is_object() || member == at->end()) return nullptr;
      at = &*member;
      begin = end + 1;
    }
    return at;
  }

  static std::string below(const std::string &path, const std::string &key) {
    return path.empty() ? key : path + "." + key;
  }

  void check_members(const std::string &path, const json &object,
                     const std::vector<std::string> &known) const {
    for (const auto &[key, value] : object.items())
      if (std::find(known.begin(), known.end(), key) == known.end())
        fail(below(path, key),
             fmt::format("unknown key '{}'{}", below(path, key), suggest(key, known)));
  }

  // An object or absent.
  const json *check_object(const std::string &path) const {
    const json *value = find(path);
    if (value != nullptr && !value->is_object())
      fail(path, fmt::format("'{}' must be an object {{ ... }}, not {}", path, value->dump()));
    return value;
  }

  void check_value(const ProfileKey &key) const {
    const json *value = find(key.path);
    if (value == nullptr) return;
    if (key.type == ProfileType::kText) {
      if (!value->is_string())
        fail(key.path, fmt::format("'{}' must be a text, not {}", key.path, value->dump()));
      return;
    }
    const bool integer = key.type == ProfileType::kInteger;
    const bool right_type = integer ? value->is_number_integer() : value->is_number();
    if (!right_type || value->get<double>() < key.min || value->get<double>() > key.max)
      fail(key.path,
           fmt::format("'{}' must be {} from {} to {}, not {}", key.path,
                       integer ? "a whole number" : "a number", key.min, key.max, value->dump()));
  }

  // The keys of the table directly under `part`.
  void check_table_part(const std::string &part) const {
    const json *object = check_object(part);
    if (object == nullptr) return;
    std::vector<std::string> known;
    for (const ProfileKey &key : profile_keys()) {
      const std::string path = key.path;
      if (path.rfind(part + ".", 0) != 0) continue;
      const std::string rest = path.substr(part.size() + 1);
      const std::string member = rest.substr(0, rest.find('.'));
      if (known.empty() || known.back() != member) known.push_back(member);
      if (member == rest) check_value(key);
    }
    check_members(part, *object, known);
  }

  void check_workload() const {
    const json *object = check_object("workload");
    if (object == nullptr) return;
    check_value({"workload.name", ProfileType::kText, 0, 0, ""});
    const std::string name = object->value("name", WorkloadConfig().name);
    std::vector<std::string> names;
    for (const WorkloadInfo &info : list_workloads()) {
      names.push_back(info.name);
      if (info.name != name) continue;
      std::vector<std::string> known = {"name", "threads", "seed"};
      if (!info.file_doc.empty()) known.push_back("file");
      for (const ParamInfo &param : info.params) {
        known.push_back(param.name);
        const std::string path = "workload." + param.name;
        check_value({path.c_str(), ProfileType::kInteger, static_cast<double>(param.min),
                     std::min(static_cast<double>(param.max), kMaxInteger), ""});
      }
      check_members("workload", *object, known);
      check_value({"workload.threads", ProfileType::kInteger, static_cast<double>(info.min_threads),
                   static_cast<double>(info.max_threads), ""});
      check_value({"workload.file", ProfileType::kText, 0, 0, ""});
      check_value({"workload.seed", ProfileType::kInteger, 0, kMaxInteger, ""});
      return;
    }
    fail("workload.name", fmt::format("unknown workload '{}'{}", name, suggest(name, names)));
  }

  void check_allocators() const {
    const json *all = check_object("allocator");
    if (all == nullptr) return;
    for (const auto &[plugin, settings] : all->items()) {
      const std::string path = "allocator." + plugin;
      check_object(path);
      check_members(path, settings, {"env", "init"});
      check_object(path + ".init");
      const json *env = check_object(path + ".env");
      if (env == nullptr) continue;
      for (const auto &[variable, value] : env->items())
        if (!value.is_string())
          fail(path + ".env." + variable,
               fmt::format("'{}.env.{}' must be a text, not {}", path, variable, value.dump()));
    }
  }

  const ProfileText &text_;
  const std::string name_;
};

template <typename T>
void take(const json &object, const char *key, T *out) {
  if (object.contains(key)) *out = object.at(key).get<typename T::value_type>();
}

template <typename T>
void take_value(const json &object, const char *key, T *out) {
  if (object.contains(key)) *out = object.at(key).get<T>();
}

}  // namespace

const std::vector<ProfileKey> &profile_keys() {
  using enum ProfileType;
  static const std::vector<ProfileKey> keys = {
      {"run.epoch_s", kReal, 0.001, 3600, "seconds of an epoch on the reference allocator"},
      {"run.ops", kInteger, 1, kMaxInteger, "operations of an epoch; skips the calibration"},
      {"run.launches", kInteger, 1, 10000, "fresh processes of each subject"},
      {"run.blocks", kInteger, 1, 1000000, "blocks in each launch (epochs, with one subject)"},
      {"run.warmup_epochs", kInteger, 0, 1000, "epochs before the first block of a launch"},
      {"run.latency_epochs", kInteger, 0, 1000,
       "epochs that time each operation, after the blocks"},
      {"run.prefault", kInteger, 0, kMaxInteger, "operations before the warm-up; 0 is none"},
      {"run.cpus", kText, 0, 0, "CPUs of the subjects as a list: 1 or 1,3-4"},
      {"run.reference", kText, 0, 0, "label of the subject that calibrates the epoch: a, b ..."},
      {"run.schedule_seed", kInteger, 0, kMaxInteger, "decides the order of turns"},
      {"run.soak.duration_s", kReal, 0.001, 1e7, "seconds of a soak, on the clock"},
      {"run.soak.mode", kText, 0, 0, "steady, ratchet, phases, growth or churn"},
      {"run.soak.idle_s", kReal, 0.001, 3600, "ratchet: seconds that a drained subject idles"},
      {"run.soak.beside", kText, 0, 0, "label of the subject that gets only some of the turns"},
      {"run.soak.beside_every", kInteger, 2, 1000, "one turn in so many is that subject's"},
      {"run.noise.involuntary_switches_per_s", kReal, 0, 1e9, "limit of an epoch"},
      {"run.noise.steal_share", kReal, 0, 1, "limit of an epoch: share of its CPU time"},
      {"run.noise.run_delay_share", kReal, 0, 1, "limit of an epoch: share of its time"},
  };
  return keys;
}

json parse_profile(const std::string &text, const std::string &name) {
  ProfileText parsed = parse_profile_text(text, name);
  Validator(parsed, name).validate();
  if (parsed.document.contains("run") && parsed.document["run"].contains("cpus")) {
    const auto cpus = parsed.document["run"]["cpus"].get<std::string>();
    std::vector<int> ignored;
    if (!parse_cpu_list(cpus, &ignored))
      throw Error(
          fmt::format("{}:{}: 'run.cpus' must be a list of CPUs like 1 or 1,3-4, not \"{}\"", name,
                      parsed.lines["run.cpus"], cpus));
  }
  return parsed.document;
}

json load_profile(const std::string &path) {
  const auto text = read_text_file(path);
  if (!text)
    throw Error("cannot read the profile " + path +
                "; name a file, or one of those that `hakbench list profiles` shows");
  json profile = parse_profile(*text, path);
  if (profile.contains("workload") && profile["workload"].contains("file")) {
    // Beside the profile, so that the two can be handed on together.
    json &file = profile["workload"]["file"];
    file = (std::filesystem::path(path).parent_path() / file.get<std::string>()).string();
  }
  return profile;
}

void apply_profile(const json &profile, RunConfig *config) {
  const json workload = profile.value("workload", json::object());
  for (const auto &[key, value] : workload.items()) {
    if (key == "name") {
      config->workload.name = value;
    } else if (key == "threads") {
      config->workload.threads = value;
    } else if (key == "seed") {
      config->workload.seed = value;
    } else if (key == "file") {
      config->workload.file = value;
    } else {
      config->workload.params[key] = value;
    }
  }
  const json run = profile.value("run", json::object());
  take_value(run, "epoch_s", &config->epoch_s);
  take(run, "ops", &config->ops);
  take_value(run, "launches", &config->launches);
  take_value(run, "blocks", &config->blocks);
  take_value(run, "warmup_epochs", &config->warmup_epochs);
  take_value(run, "latency_epochs", &config->latency_epochs);
  take(run, "prefault", &config->prefault_ops);
  take_value(run, "reference", &config->reference);
  take_value(run, "schedule_seed", &config->schedule_seed);
  if (run.contains("cpus")) parse_cpu_list(run["cpus"], &config->cpus);
  if (run.contains("soak")) {
    const json &soak = run["soak"];
    if (!config->soak) config->soak.emplace();
    take_value(soak, "duration_s", &config->soak->duration_s);
    take_value(soak, "mode", &config->soak->mode);
    take_value(soak, "idle_s", &config->soak->idle_s);
    take_value(soak, "beside", &config->soak->beside);
    take_value(soak, "beside_every", &config->soak->beside_every);
  }
  const json noise = run.value("noise", json::object());
  take(noise, "involuntary_switches_per_s", &config->noise.involuntary_switches_per_s);
  take(noise, "steal_share", &config->noise.steal_share);
  take(noise, "run_delay_share", &config->noise.run_delay_share);
}

void apply_profile(const json &profile, SubjectConfig *subject, const std::string &own_name) {
  const json all = profile.value("allocator", json::object());
  json init = json::parse(subject->init_json);
  for (const std::string &name : {own_name, subject->plugin.name, subject->label}) {
    if (!all.contains(name)) continue;
    const json env = all[name].value("env", json::object());
    for (const auto &[variable, value] : env.items()) subject->env[variable] = value;
    init.update(all[name].value("init", json::object()));
  }
  subject->init_json = init.dump();
}

json merged_profile(const RunConfig &config, const json &profile) {
  json merged = json::object();
  for (const char *part : {"description", "gate"})
    if (profile.contains(part)) merged[part] = profile[part];
  json &workload = merged["workload"];
  workload = config.workload.params;
  workload["name"] = config.workload.name;
  workload["threads"] = config.workload.threads;
  workload["seed"] = config.workload.seed;
  if (!config.workload.file.empty()) workload["file"] = config.workload.file;
  json &run = merged["run"];
  run["epoch_s"] = config.epoch_s;
  if (config.ops) run["ops"] = *config.ops;
  run["launches"] = config.launches;
  run["blocks"] = config.blocks;
  run["warmup_epochs"] = config.warmup_epochs;
  run["latency_epochs"] = config.latency_epochs;
  if (config.prefault_ops) run["prefault"] = *config.prefault_ops;
  run["cpus"] = format_cpu_list(config.cpus);
  run["reference"] = config.reference;
  run["schedule_seed"] = config.schedule_seed;
  if (config.soak) {
    run["soak"] = {{"duration_s", config.soak->duration_s},
                   {"mode", config.soak->mode},
                   {"idle_s", config.soak->idle_s},
                   {"beside_every", config.soak->beside_every}};
    if (!config.soak->beside.empty()) run["soak"]["beside"] = config.soak->beside;
  }
  json noise = json::object();
  const NoiseLimits &limits = config.noise;
  if (limits.involuntary_switches_per_s)
    noise["involuntary_switches_per_s"] = *limits.involuntary_switches_per_s;
  if (limits.steal_share) noise["steal_share"] = *limits.steal_share;
  if (limits.run_delay_share) noise["run_delay_share"] = *limits.run_delay_share;
  run["noise"] = noise;
  for (const SubjectConfig &subject : config.subjects)
    merged["allocator"][subject.label] = {{"env", subject.env},
                                          {"init", json::parse(subject.init_json)}};
  return merged;
}

}  // namespace hakbench
