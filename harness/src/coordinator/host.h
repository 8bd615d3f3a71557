// host.h - the facts about machine and source tree that a result must carry to be compared later.
//
// Boundary:   reads /proc, /sys and git; changes nothing. What can't be found out is left out.
#ifndef HAKBENCH_COORDINATOR_HOST_H_
#define HAKBENCH_COORDINATOR_HOST_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hakbench {

nlohmann::json host_facts();

// Commit and cleanliness of the git tree around `folder`; an empty object outside of one.
nlohmann::json git_facts(const std::string &folder);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_HOST_H_
