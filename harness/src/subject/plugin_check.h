// plugin_check.h - is this table an allocator, and is it the one that it says?
//
// Purpose: the contract tests that every allocator passes before it is timed.
// Boundary: sees the table and the loader's facts; knows no workload, clock or file.
// Invariants: a check that needs a function the table does not offer is left out, never passed. A
//   plugin whose build_config contains "not-an-allocator" (floor) gets only the pointer checks, and so
//   does one whose pointers fail them. A control is a wrapper on purpose, and is held to the contract of
//   the plugin that it wraps.
// Threads: table->init has been called. Runs on worker threads of its own, with thread_begin and
//   thread_end around them, so the caller's thread stays untouched.
#ifndef HAKBENCH_SUBJECT_PLUGIN_CHECK_H_
#define HAKBENCH_SUBJECT_PLUGIN_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "subject/plugin_loader.h"

namespace hakbench {

struct CheckResult {
  std::string name;
  bool ok;
  std::string detail;  // what was seen: one line; of a failure: the first fault
};

using CheckStarting = std::function<void(const char *name)>;

// Calls starting(name) before each check, so that a crash can be put down to it.
std::vector<CheckResult> check_plugin(
    const LoadedPlugin &plugin, const CheckStarting &starting = [](const char *) {});

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_PLUGIN_CHECK_H_
