// resume.h - a run that goes on in the folder of an earlier one.
//
// Purpose:    the folder's manifest back into a RunConfig; what it may not differ in is compared here,
//             and by check_subjects (the plugins' SHA-256).
// Invariants: nothing is written. The settings are the manifest's: the environment and the profiles of
//             today have no part in them. This process's own variables for allocators, which subjects
//             inherit, become those of the manifest.
#ifndef HAKBENCH_CLI_RESUME_H_
#define HAKBENCH_CLI_RESUME_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "coordinator/run_config.h"
#include "output/resume_point.h"

namespace hakbench {

struct ResumedRun {
  RunConfig config;
  ResumePoint point;
  nlohmann::json manifest;  // with the new total of launches and this resumption on record
};

// `command`: run or ab. `launches`: in all; as the manifest says if empty. Throws Error.
ResumedRun read_resumed_run(const std::string &folder, const std::string &command,
                            const std::optional<uint64_t> &launches);

// Of hakbench soak. `duration_s`: in all; as the manifest says if empty. Throws Error.
ResumedRun read_resumed_soak(const std::string &folder, const std::optional<double> &duration_s);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_RESUME_H_
