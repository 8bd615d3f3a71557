// doctor.h - what of a machine makes measurements doubtful.
//
// Purpose:    judge MachineFacts: one finding a subject, with what it does to results and the mend.
// Boundary:   pure: the same facts give the same findings. It informs; nothing is refused here.
#ifndef HAKBENCH_COORDINATOR_DOCTOR_H_
#define HAKBENCH_COORDINATOR_DOCTOR_H_

#include <string>
#include <vector>

#include "coordinator/machine_facts.h"

namespace hakbench {

struct Finding {
  std::string check;  // "governor": the same word on every machine
  bool ok = true;
  bool biases = false;  // a warning that a run repeats: it can move a result, not only widen it
  std::string state;    // "CPU governor is powersave"
  std::string advice;   // why it matters and what to do; empty if ok
};

// What the facts say nothing about has no finding, siblings excepted: that they are not known is one.
std::vector<Finding> judge_machine(const MachineFacts &facts);

// The warnings that a run repeats, one line each.
std::vector<std::string> bias_warnings(const std::vector<Finding> &findings);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_DOCTOR_H_
