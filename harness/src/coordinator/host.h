// host.h - the facts about a machine that a result must carry to be compared later.
//
// Boundary:   reads /proc and /sys; changes nothing. What can't be found out is left out.
#ifndef HAKBENCH_COORDINATOR_HOST_H_
#define HAKBENCH_COORDINATOR_HOST_H_

#include <nlohmann/json.hpp>

namespace hakbench {

nlohmann::json host_facts();

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_HOST_H_
