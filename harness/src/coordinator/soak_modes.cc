#include "coordinator/soak_modes.h"

#include "model/error.h"
#include "model/text.h"

namespace hakbench {

const std::vector<SoakMode> &soak_modes() {
  static const std::vector<SoakMode> modes = {
      {"steady", "", false, "the workload as it is, epoch after epoch"},
      {"ratchet", "", true, "after each epoch everything is freed, and the subject idles"},
      {"phases", "phases", false, "sizes and working set change over time"},
      {"growth", "sawtooth", false, "the live set grows and shrinks"},
      {"churn", "thread_churn", false, "threads are born and die"},
  };
  return modes;
}

const SoakMode &find_soak_mode(const std::string &name) {
  std::vector<std::string> names;
  for (const SoakMode &mode : soak_modes()) {
    if (mode.name == name) return mode;
    names.push_back(mode.name);
  }
  throw Error("unknown soak mode '" + name + "'" + suggest(name, names));
}

}  // namespace hakbench
