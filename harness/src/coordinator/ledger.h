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

// How a running program is asked. What is empty is looked up in its environment, which some programs
// overwrite.
struct LedgerRequest {
  pid_t pid = 0;
  int signal_number = 0;  // HAKMEM_LEDGER_SIGNAL
  std::string file;       // HAKMEM_LEDGER_DUMP
};

// Sends the process its signal and reads its file. Throws Error, before it sends anything, if the
// process does not handle that signal.
nlohmann::json ledger_of_process(LedgerRequest request);

struct CommandLedgers {
  std::vector<nlohmann::json> ledgers;  // of the processes that ended by exit(), in their order
  std::string failure;                  // "ended with exit code 3"; empty: it succeeded
};

// Runs the command with `library` preloaded; its output and input are ours. Throws Error.
CommandLedgers ledgers_of_command(const std::vector<std::string> &command,
                                  const std::string &library);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_LEDGER_H_
