// machine_facts.h - what this machine is doing and allowing right now, as plain data.
//
// Purpose:    everything that the judgement in doctor.h needs, and nothing judged.
// Boundary:   reads /proc and /sys, asks the kernel what it would permit, sleeps for the sample. Changes
//             nothing that outlives the call.
// Invariants: what can't be found out, or does not exist here, is empty.
#ifndef HAKBENCH_COORDINATOR_MACHINE_FACTS_H_
#define HAKBENCH_COORDINATOR_MACHINE_FACTS_H_

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "model/epoch.h"

namespace hakbench {

struct MachineFacts {
  std::vector<int> cpus;  // of the subjects
  int usable_cpus = 0;    // by this process
  int online_cpus = 0;
  bool can_pin = true;  // this process may sit on the subjects' CPUs
  // On line hardware threads that share a core with `cpus`. A virtual machine that shows none may hide
  // them, so that is not known.
  std::optional<std::vector<int>> siblings;
  std::vector<std::string>
      governors;      // of `cpus`, each once; empty: the clock is not Linux's to set
  std::string turbo;  // "on" or "off"
  std::string clocksource;
  bool hypervisor = false;

  Real busy_share;   // of the time of `cpus`, by others, while nothing of ours ran
  Real steal_share;  // the same, taken by the hypervisor
  Real load_1min;

  std::string thp;                    // always, madvise or never
  Integer aslr;                       // kernel.randomize_va_space
  bool aslr_personality_off = false;  // of this process (setarch -R)
  Integer memory_kb;
  Integer memory_available_kb;
  Integer swap_used_kb;
  Real cpu_quota;  // CPUs' worth of time that the cgroup gets
  Integer memory_limit_kb;

  std::string syscalls_reason;      // why they can't be counted; empty: they can
  std::string instructions_reason;  // the same
  std::string events_reason;        // why page faults and switches can't be recorded one by one
};

// `sample`: how long the CPUs are watched.
MachineFacts collect_machine_facts(const std::vector<int> &cpus, std::chrono::milliseconds sample);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_MACHINE_FACTS_H_
