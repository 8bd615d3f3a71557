// allocator_environment.h - the variables of the environment that allocators take settings from.
//
// Purpose:    a run's manifest has them, and a run that goes on has them again, whatever the shell.
// Boundary:   those by which the libraries known here are set, and what the loader puts before them.
//             hakbench's own (HAKMEM_BENCH_*) are not among them.
#ifndef HAKBENCH_COORDINATOR_ALLOCATOR_ENVIRONMENT_H_
#define HAKBENCH_COORDINATOR_ALLOCATOR_ENVIRONMENT_H_

#include <map>
#include <string>

namespace hakbench {

using Environment = std::map<std::string, std::string>;

// Of this process, which every subject inherits.
Environment allocator_environment();

// Makes this process have exactly these.
void set_allocator_environment(const Environment &wanted);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_ALLOCATOR_ENVIRONMENT_H_
