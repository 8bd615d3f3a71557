// soak_modes.h - the kinds of soak.
//
// Purpose:    the one table of modes: which workload a mode takes, and whether it drains.
#ifndef HAKBENCH_COORDINATOR_SOAK_MODES_H_
#define HAKBENCH_COORDINATOR_SOAK_MODES_H_

#include <string>
#include <vector>

namespace hakbench {

struct SoakMode {
  std::string name;
  std::string workload;  // the one it takes; empty: any
  bool drains;           // after each epoch everything is freed, and the subject idles
  std::string doc;
};

const std::vector<SoakMode> &soak_modes();

// Throws Error that lists the modes.
const SoakMode &find_soak_mode(const std::string &name);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SOAK_MODES_H_
