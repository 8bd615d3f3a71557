#include "cli/resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "cli/duration.h"
#include "coordinator/allocator_environment.h"
#include "coordinator/cpus.h"
#include "coordinator/host.h"
#include "coordinator/profile.h"
#include "coordinator/soak_modes.h"
#include "coordinator/text_file.h"
#include "model/clock.h"
#include "model/error.h"
#include "model/installation.h"

namespace hakbench {
namespace {

using nlohmann::json;

constexpr char kFormat[] = "hakbench-result/1";
constexpr uint64_t kMaxLaunches = 10'000;

json read_manifest(const std::string &folder) {
  const auto text = read_text_file(folder + "/manifest.json");
  if (!text)
    throw Error("cannot resume " + folder +
                ": there is no manifest.json in it; name the folder of a result");
  json manifest = json::parse(*text, nullptr, false);
  if (!manifest.is_object() || manifest.value("format", "") != kFormat)
    throw Error(
        fmt::format("cannot resume {}: its manifest.json is no {}; name the folder of a "
                    "result",
                    folder, kFormat));
  return manifest;
}

SubjectConfig read_subject(const json &facts, const json &profile) {
  SubjectConfig subject;
  subject.label = facts.at("label");
  subject.plugin.name = facts.at("allocator");
  subject.plugin.path = resolve_in_installation(facts.at("path"));
  subject.sha256 = facts.value("sha256", "");
  apply_profile(profile, &subject);
  return subject;
}

RunConfig read_config(const json &manifest) {
  const json &profile = manifest.at("profile");
  RunConfig config;
  apply_profile(profile, &config);
  if (manifest.contains("ops_per_epoch")) config.ops = manifest["ops_per_epoch"].get<uint64_t>();
  config.coordinator_cpu = manifest.at("cpus").at("coordinator");
  config.grace_s = manifest.value("timeout_s", config.grace_s);
  for (const json &facts : manifest.at("subjects"))
    config.subjects.push_back(read_subject(facts, profile));
  return config;
}

void expect_same_machine(const std::string &folder, const json &manifest, const RunConfig &config) {
  const std::string then = manifest.at("host").value("cpu_model", "");
  const std::string now = host_facts().value("cpu_model", "");
  if (then != now)
    throw Error(
        fmt::format("cannot resume {}: it was measured on a {}, this is a {}; start a new run",
                    folder, then, now));
  const std::vector<int> allowed = allowed_cpus();
  for (const int cpu : config.cpus)
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
      throw Error(
          fmt::format("cannot resume {}: it ran on CPU {}, which is not among those this "
                      "process may use ({}); allow it that CPU",
                      folder, cpu, format_cpu_list(allowed)));
}

// Another version of a workload may draw other operations from the same seed.
void expect_same_stream(const std::string &folder, const json &manifest, const RunConfig &config) {
  if (!config.ops || !manifest.contains("op_stream_hash")) return;  // ended before either was known
  std::string error;
  if (make_workload(config.workload, &error) == nullptr)
    throw Error("cannot resume " + folder + ": " + error);
  const uint64_t ops_per_worker = *config.ops / config.workload.threads;
  const std::string now = fmt::format("{:016x}", op_stream_hash(config.workload, ops_per_worker));
  if (manifest["op_stream_hash"] != now)
    throw Error("cannot resume " + folder +
                ": its workload draws other operations in this version of hakbench; resume with "
                "the version that began it");
}

void set_launches(const std::string &folder, const std::optional<uint64_t> &wanted,
                  ResumedRun *run) {
  const uint64_t launches = wanted.value_or(run->manifest.at("launches").get<uint64_t>());
  if (launches > kMaxLaunches)
    throw Error(fmt::format("--launches {} is out of range; give a number up to {}", launches,
                            kMaxLaunches));
  if (launches <= run->point.next_launch)
    throw Error(
        fmt::format("nothing to resume: {} has {} of {} launches; ask for more with "
                    "--launches",
                    folder, run->point.next_launch, launches));
  run->config.launches = static_cast<uint32_t>(launches);
}

void set_duration(const std::string &folder, const std::optional<double> &wanted_s,
                  ResumedRun *run) {
  if (!run->config.soak) run->config.soak.emplace();
  SoakConfig &soak = *run->config.soak;
  // The time before the first epoch of a launch leaves no row: a complete soak seems to lack a little.
  const bool is_full =
      run->manifest.value("status", "") == "complete" && wanted_s.value_or(0) <= soak.duration_s;
  if (wanted_s) soak.duration_s = *wanted_s;
  run->config.soaked_s = run->point.soaked_s;
  if (is_full || run->point.soaked_s >= soak.duration_s)
    throw Error(
        fmt::format("nothing to resume: {} has soaked {:.1f} of {:.1f} s; ask for more with "
                    "--duration",
                    folder, run->point.soaked_s, soak.duration_s));
  json &settings = run->manifest["profile"]["run"];
  if (!settings.contains("ops")) {  // else nobody said how long an epoch is
    const double epoch_s = run->config.epoch_s;
    expect_epoch_fits(fmt::format("the soak's epoch of {:g} s", epoch_s), "", epoch_s,
                      find_soak_mode(soak.mode).drains ? soak.idle_s : 0,
                      wanted_s ? "--duration" : "", soak.duration_s);
  }
  run->config.launches = run->point.next_launch + 1;
  settings["soak"]["duration_s"] = soak.duration_s;
}

void note_resumption(ResumedRun *run) {
  json &manifest = run->manifest;
  manifest["launches"] = run->config.launches;
  manifest["profile"]["run"]["launches"] = run->config.launches;
  manifest["resumed"].push_back(
      {{"wall_time_s", wall_time_s()}, {"from_launch", run->config.first_launch}});
  manifest.erase("error");
  manifest.erase("end_time");
}

// `set_end` decides how far the run goes on.
ResumedRun read_folder(const std::string &folder, const std::string &command,
                       const std::function<void(ResumedRun *)> &set_end) {
  ResumedRun run;
  run.manifest = read_manifest(folder);
  try {
    const std::string began_as = run.manifest.at("command");
    if (began_as != command)
      throw Error(
          fmt::format("cannot resume {0} with hakbench {1}: it is a result of hakbench {2}; "
                      "write hakbench {2} --resume {0}",
                      folder, command, began_as));
    run.config = read_config(run.manifest);
    // Folders of versions that did not write it down go on with that of today.
    if (run.manifest.contains("environment"))
      set_allocator_environment(run.manifest["environment"].get<Environment>());
    run.point = find_resume_point(folder);
    run.config.first_launch = run.point.next_launch;
    run.config.first_seq = run.point.next_seq;
    set_end(&run);
    expect_same_machine(folder, run.manifest, run.config);
    expect_same_stream(folder, run.manifest, run.config);
    note_resumption(&run);
  } catch (const json::exception &error) {
    throw Error("cannot resume " + folder + ": its manifest.json lacks what a run needs (" +
                error.what() + "); start a new run");
  }
  return run;
}

}  // namespace

ResumedRun read_resumed_run(const std::string &folder, const std::string &command,
                            const std::optional<uint64_t> &launches) {
  return read_folder(folder, command,
                     [&](ResumedRun *run) { set_launches(folder, launches, run); });
}

ResumedRun read_resumed_soak(const std::string &folder, const std::optional<double> &duration_s) {
  return read_folder(folder, "soak",
                     [&](ResumedRun *run) { set_duration(folder, duration_s, run); });
}

}  // namespace hakbench
