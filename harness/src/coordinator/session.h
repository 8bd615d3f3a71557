// session.h - one run from the first launch to the last epoch.
//
// Purpose:    calibrate, launch, take turns in blocks; what a turn is, is turn_runner.h's.
// Owns:       the subject processes of the launch under way.
// Boundary:   RunConfig in, RunObserver out. No file, no terminal, no statistics.
// Invariants: only one subject runs at a time. The ops of an epoch are the same for every subject and
//             every epoch of the run. An epoch is reported the moment it has been measured.
// Threads:    one.
#ifndef HAKBENCH_COORDINATOR_SESSION_H_
#define HAKBENCH_COORDINATOR_SESSION_H_

#include <string>
#include <vector>

#include "coordinator/run_config.h"
#include "model/run_observer.h"

namespace hakbench {

// Runs everything. Throws Error (the text names allocator, launch and epoch where a subject is to
// blame) or Interrupted; what was reported until then stays valid.
void run_session(const RunConfig &config, RunObserver *observer);

// Runs check_in_subject on every plugin of the run. Throws Error that names allocator and check, or the
// library that is not the one it must be.
void check_subjects(const RunConfig &config);

struct CheckLine {
  std::string name;
  bool ok;
  std::string detail;
};

struct CheckReport {
  std::vector<CheckLine> lines;
  std::string sha256;  // of the library that holds malloc
  std::string name;    // as the plugin itself says, "hakmem"
};

// Runs the contract checks of a plugin in a process of its own. A crash is one failed line that names
// the check under way. Throws Error if the plugin can't be loaded.
CheckReport check_in_subject(const SubjectConfig &subject, const std::vector<int> &cpus);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SESSION_H_
