// profile.h - a run's settings from a JSON file with comments.
//
// Purpose:    read, validate and apply profiles; write the merged result back for the manifest.
// Boundary:   the only reader of profile files. The keys of `workload` come from the workload's own
//             list, those of `run` from the table below; profiles/schema.json says the same for
//             editors, and a test compares the two. `gate` is read by the analysis, not here.
// Invariants: an error is one line: file, line, key, what was expected.
#ifndef HAKBENCH_COORDINATOR_PROFILE_H_
#define HAKBENCH_COORDINATOR_PROFILE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/run_config.h"

namespace hakbench {

enum class ProfileType { kInteger, kReal, kText };

struct ProfileKey {
  const char *path;  // "run.epoch_s", "run.noise.steal_share"
  ProfileType type;
  double min;  // of numbers, both inclusive
  double max;
  const char *doc;
};
const std::vector<ProfileKey> &profile_keys();

// Throws Error. `name` is only for messages.
nlohmann::json parse_profile(const std::string &text, const std::string &name);
nlohmann::json load_profile(const std::string &path);

// Settings of the parts `workload` and `run`, over what *config holds.
void apply_profile(const nlohmann::json &profile, RunConfig *config);

// Settings of `allocator`, for a subject whose plugin and label are known: those under the name that
// the plugin gives itself, if that is known, then those under its name here, then under its label.
void apply_profile(const nlohmann::json &profile, SubjectConfig *subject,
                   const std::string &own_name = "");

// The profile that would give exactly this run, with `gate` and description of the one it came from.
nlohmann::json merged_profile(const RunConfig &config, const nlohmann::json &profile);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_PROFILE_H_
