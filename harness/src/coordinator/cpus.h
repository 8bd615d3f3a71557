// cpus.h - which CPUs this process may use, and who of us sits where.
//
// Purpose:    the one place that gives seats to the coordinator and the subjects' workers.
// Boundary:   reads and sets affinity; what a CPU is like, machine_facts.h says.
// Invariants: the coordinator has a CPU that no subject has, where there is one.
#ifndef HAKBENCH_COORDINATOR_CPUS_H_
#define HAKBENCH_COORDINATOR_CPUS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hakbench {

// The CPUs of this process's affinity mask, ascending; never empty.
std::vector<int> allowed_cpus();

// The default seats: the coordinator on the first allowed CPU; the subject on the last one, or with
// several workers on those behind the first, one a worker, or on all if that is too few.
std::vector<int> default_subject_cpus(const std::vector<int> &allowed, uint32_t threads);

// The first allowed CPU that is no subject's; the first at all if there is none.
int coordinator_seat(const std::vector<int> &allowed, const std::vector<int> &subjects);

// "0,2-3" both ways. Parsing returns false on anything else, and on a CPU above 1023.
bool parse_cpu_list(const std::string &text, std::vector<int> *out);
std::string format_cpu_list(const std::vector<int> &cpus);

// What --cpus says, or the default seats if it is empty. Throws Error for what is no list, and for a CPU
// that is not among the allowed ones.
std::vector<int> subject_cpus(const std::string &text, const std::vector<int> &allowed,
                              uint32_t threads);

// Moves the calling process to one CPU. Best effort.
void pin_process(int cpu);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_CPUS_H_
