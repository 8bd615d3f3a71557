// ledger.h - the RSS ledger of a process: who holds each of its resident bytes.
//
// Purpose:    get it from a subject after a workload, from a running program, or from each process of a
//             command at its end.
// Boundary:   the allocator works it out (allocator_plugin.h, ledger_json); here it is asked for and
//             handed on as JSON. A subject's is checked against what the kernel says from outside.
// Threads:    one.
#ifndef HAKBENCH_COORDINATOR_LEDGER_H_
#define HAKBENCH_COORDINATOR_LEDGER_H_

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/run_config.h"

namespace hakbench {

// Runs the workload of the config's first subject for config.ops, as `run` does, and asks then. Adds to
// what the allocator says: allocator, workload, ops, asked_bytes (what the program asked for in the
// blocks it holds), rounding_bytes (what the allocator added to that) and rss_outside_bytes (from
// outside, when the ledger's own memory is gone). Throws Error or Interrupted.
nlohmann::json ledger_of_workload(const RunConfig &config);

// Sends the process the signal that its environment names (HAKMEM_LEDGER_SIGNAL) and reads the file
// (HAKMEM_LEDGER_DUMP). Throws Error, before it sends anything, if the process does not handle that.
nlohmann::json ledger_of_process(pid_t pid);

struct CommandLedgers {
  std::vector<nlohmann::json> ledgers;  // of the processes that ended by exit(), in their order
  std::string failure;                  // "ended with exit code 3"; empty: it succeeded
};

// Runs the command with `library` preloaded; its output and input are ours. Throws Error.
CommandLedgers ledgers_of_command(const std::vector<std::string> &command,
                                  const std::string &library);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_LEDGER_H_
